"""Compiles embedded projects with a real TensorFlow Lite for Microcontrollers (TFLM) and compares what they compute.

    python -m benchmarks.tflm_tree --library libtensorflow-microlite.a --include TREE --include ... [BUNDLE ...]
    python -m benchmarks.tflm_tree --cortex-m --library ... --include ... [BUNDLE ...]

The bundles of the conformance cases unless others are named. Every variant runs once, on this machine or on QEMU's
Cortex-M4F (mps2-an386), from the array, by the engine that the selector uses. Its outputs must equal, to the last bit,
those of the pinned tflite-micro wheel on the bundle's own .tflite. Prints each variant's arena as TFLM used it there,
beside the one that was embedded. Tuned kernels, and float32 on another processor, differ
in the last bits: then the largest difference is printed. With `--resident` all variants are open in one arena.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tfelastic_runtime import Bundle, VariantInfo
from tfelastic_runtime.encoding import Encoder, decode

from tests.support import cortex_m
from tests.support.firmware import STRICT, TESTS, Step, value_of, write_bench
from tests.support.golden import CONFORMANCE
from tflite_export._embed import embed
from tflite_export.runtimes import tflm

BUNDLES = [CONFORMANCE / f"{name}.elastic" for name in ("shared", "interfaces")]
NAME = "kws"


def compare(bundle: Path, arguments: argparse.Namespace) -> None:
    """Embed a bundle, run every variant, and print how it compares."""
    opened = Bundle.open(bundle)
    with tempfile.TemporaryDirectory() as folder:
        names = tuple(variant.name for variant in opened.variants) if arguments.resident else ()
        report = embed(
            bundle, Path(folder) / "project", name=NAME, resident=arguments.resident, in_place=names
        )
        write_bench(Path(folder), opened, NAME, [Step(1)])
        lines = run(Path(folder), arguments)
    buffers = report.buffers
    buffer_bytes = buffers.resident_bytes if arguments.resident else buffers.pool_bytes
    print(f"{bundle.name}: a buffer of {buffer_bytes:,} bytes with 32-bit pointers")
    print(f"{'variant':<24}{'arena there':>12}{'embedded':>10}  outputs")
    for line, variant, embedded in zip(lines, opened.variants, report.variants, strict=True):
        name, used, *bits = line.split()
        assert name == variant.name
        found = np.array([int(each, 16) for each in bits], "<u4").view("<f4")
        verdict = judge(found, reference(opened, variant), variant)
        print(f"{name:<24}{int(used):>12,}{embedded.arena_with_margin_bytes:>10,}  {verdict}")


def run(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Compile and run the program, and return its lines."""
    network = folder / "project" / NAME
    includes = [f"-isystem{each}" for each in arguments.include]
    options = [*STRICT, *includes, f"-I{folder}", f"-I{network}", "-DTFELASTIC_OWN_CLOCK"]
    sources = [TESTS / "run_all.cc", *sorted(network.glob("*.cc"))]
    if arguments.cortex_m:
        objects = [
            cortex_m.compile_object(source, folder / f"{source.stem}.o", *options)
            for source in sources
        ]
        program = cortex_m.link([*objects, arguments.library], folder / "program.elf")
        return [line for line in cortex_m.run(program).splitlines() if " " in line]
    program = folder / "program"
    command = [
        "g++",
        "-O2",
        "-Wl,--gc-sections",
        *options,
        *map(str, sources),
        str(arguments.library),
    ]
    subprocess.run([*command, "-o", str(program)], check=True)
    done = subprocess.run([str(program)], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def reference(bundle: Bundle, variant: VariantInfo) -> np.ndarray:
    """Return what the wheel computes for the bench's inputs, all outputs in a row."""
    manifest = bundle.manifest
    inputs: list[np.ndarray] = [np.empty(0)] * len(manifest.inputs)
    for spec, tensor in zip(manifest.inputs, variant.inputs, strict=True):
        inputs[tensor.position] = Encoder(spec, tensor).encode(value_of(spec)).copy()
    outputs = tflm.run(bundle.model(variant.name), inputs)
    decoded = [decode(outputs[tensor.position], tensor).ravel() for tensor in variant.outputs]
    return np.concatenate(decoded).astype("<f4")


def judge(found: np.ndarray, expected: np.ndarray, variant: VariantInfo) -> str:
    """Say how two rows of outputs compare."""
    if np.array_equal(found.view("<u4"), expected.view("<u4")):
        return "equal to the last bit"
    largest = float(np.abs(found - expected).max())
    return f"differ by up to {largest:.3g}; a step is {variant.outputs[0].scale:.3g}"


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line and compare each bundle."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundles", nargs="*", type=Path, default=BUNDLES)
    parser.add_argument("--library", type=Path, required=True, help="TFLM's library")
    parser.add_argument("--include", action="append", required=True, help="a folder of headers")
    parser.add_argument("--resident", action="store_true", help="all variants in one arena")
    parser.add_argument("--cortex-m", action="store_true", help="run under QEMU")
    arguments = parser.parse_args(words)
    for bundle in arguments.bundles:
        compare(bundle, arguments)


if __name__ == "__main__":
    main()
