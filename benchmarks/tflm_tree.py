"""Compiles embedded projects with a real TensorFlow Lite for Microcontrollers (TFLM) and compares what they compute.

    python -m benchmarks.tflm_tree --library libtensorflow-microlite.a --include TREE --include ... [BUNDLE ...]
    python -m benchmarks.tflm_tree --cortex-m [--kernels cmsis-nn] --library ... --include ... [BUNDLE ...]

Unless bundles are named: those of the conformance cases, and three networks with random weights in int8 and int16x8,
"5x5", "deep-5x5" and "gated", whose convolutions ask for scratch memory. Every variant runs once, on this machine or
on QEMU's Cortex-M4F (mps2-an386), from the array, by the engine that the selector uses, in a buffer of the embedded
size. Its outputs are compared with those of the pinned tflite-micro wheel, of reference kernels, on the bundle's own
.tflite.

Prints, in bytes, the arena that TFLM took there, the one that was estimated, and the one that was embedded, which is
the margin more. A variant that fails, or takes more than was embedded, ends the benchmark with an error; a bundle that
`embed` refuses for those kernels is named with the reason. `--kernels` names the library that TFLM was built with. With
`--resident` all variants are open in one arena. On this machine pointers have 64 bits, and the buffer is one that was
measured here.
"""

import argparse
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from tfelastic_runtime import Bundle, VariantInfo
from tfelastic_runtime.encoding import Encoder, decode

from tests.support import cortex_m
from tests.support.firmware import STRICT, TESTS, Step, value_of, write_bench
from tests.support.golden import CONFORMANCE
from tests.support.weights import randomize
from tflite_export import PackError, Variant, convert, write_bundle
from tflite_export._embed import embed
from tflite_export.arena import KERNELS
from tflite_export.runtimes import tflm

BUNDLES = [CONFORMANCE / f"{name}.elastic" for name in ("shared", "interfaces")]
SCHEMES = ("int8", "int16x8")
NAME = "kws"

layers = keras.layers


def wide_windows() -> keras.Model:
    """Return a network of 5x5 convolutions on a small image, whose gathered inputs are large beside its values."""
    image = keras.Input((12, 12, 3))
    x = image
    for filters in (8, 8, 16):
        x = layers.Conv2D(filters, 5, padding="same", activation="relu")(x)
    return keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def deep_windows() -> keras.Model:
    """Return a network of 5x5 convolutions of 32 channels on 6x6 pixels: a gathered input is larger than a value."""
    image = keras.Input((6, 6, 3))
    x = image
    for _ in range(2):
        x = layers.Conv2D(32, 5, padding="same", activation="relu")(x)
    return keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def gated() -> keras.Model:
    """Return a network of depthwise and pointwise convolutions, a gate, poolings, a joint and a softmax."""
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    y = layers.DepthwiseConv2D(5, padding="same", activation="relu")(x)
    gate = layers.Conv2D(16, 1, activation="sigmoid")(layers.AveragePooling2D(16)(y))
    y = layers.Add()([x, layers.Multiply()([y, gate])])
    y = layers.Concatenate()([layers.MaxPooling2D(2)(y), layers.AveragePooling2D(2)(y)])
    y = layers.DepthwiseConv2D(3, padding="same")(layers.Conv2D(12, 1)(y))
    return keras.Model(image, layers.Dense(4, activation="softmax")(layers.Flatten()(y)))


NETWORKS: dict[str, Callable[[], keras.Model]] = {
    "5x5": wide_windows,
    "deep-5x5": deep_windows,
    "gated": gated,
}


def write_network(name: str, folder: Path) -> Path:
    """Write a bundle of one of the networks in every scheme."""
    model = randomize(NETWORKS[name](), seed=0)
    samples = np.random.default_rng(0).integers(0, 256, (16, *model.input_shape[1:]), np.uint8)
    variants = [
        Variant(
            name=f"{name}-{scheme}",
            tflite=convert(model, scheme=scheme, target="tflm", strip=True, samples=samples),
            width=1.0,
            params=0,
            macs=0,
            score=0.0,
            scheme=scheme,
        )
        for scheme in SCHEMES
    ]
    write_bundle(folder / f"{name}.elastic", variants, name=name)
    return folder / f"{name}.elastic"


def compare(bundle: Path, arguments: argparse.Namespace) -> None:
    """Embed a bundle, run every variant, and print how it compares.

    Raises:
        SystemExit: A variant takes more than was embedded.
    """
    opened = Bundle.open(bundle)
    names = tuple(variant.name for variant in opened.variants) if arguments.resident else ()
    with tempfile.TemporaryDirectory() as folder:
        report = embed(
            bundle,
            Path(folder) / "project",
            name=NAME,
            kernels=arguments.kernels,
            int8_kernels=arguments.int8_kernels,
            resident=arguments.resident,
            in_place=names,
        )
        write_bench(Path(folder), opened, NAME, [Step(1)])
        lines = run(Path(folder), arguments)
    buffers = report.buffers
    resident_bytes = buffers.resident_bytes if arguments.resident else None
    buffer_bytes = resident_bytes or buffers.pool_bytes
    print(f"{bundle.name}, {report.kernels} kernels: a buffer of {buffer_bytes:,} bytes")
    print(f"{'variant':<24}{'taken':>10}{'estimated':>10}{'embedded':>10}  outputs")
    for line, variant, embedded in zip(lines, opened.variants, report.variants, strict=True):
        name, used, *bits = line.split()
        assert name == variant.name
        found = np.array([int(each, 16) for each in bits], "<u4").view("<f4")
        verdict = judge(found, reference(opened, variant), variant)
        sizes = (int(used), embedded.arena_bytes, embedded.arena_with_margin_bytes)
        print(f"{name:<24}{''.join(f'{size:>10,}' for size in sizes)}  {verdict}", flush=True)
        limit = resident_bytes or embedded.arena_with_margin_bytes
        if arguments.cortex_m and int(used) > limit:
            raise SystemExit(f"{bundle.name}: {name} takes {int(used):,} bytes of {limit:,}")


def run(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Compile and run the program, and return its lines."""
    network = folder / "project" / NAME
    includes = [f"-isystem{each}" for each in arguments.include]
    options = [*STRICT, *includes, f"-I{folder}", f"-I{network}", "-DTFELASTIC_OWN_CLOCK"]
    if arguments.kernels.startswith("cmsis-nn"):
        options.append("-DCMSIS_NN")
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
    parser.add_argument("bundles", nargs="*", type=Path)
    parser.add_argument("--library", type=Path, required=True, help="TFLM's library")
    parser.add_argument("--include", action="append", required=True, help="a folder of headers")
    parser.add_argument("--resident", action="store_true", help="all variants in one arena")
    parser.add_argument("--kernels", choices=tuple(KERNELS), default="reference")
    parser.add_argument("--int8-kernels", action="store_true", help="register int8 alone if it can")
    parser.add_argument("--cortex-m", action="store_true", help="run under QEMU")
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        own = (write_network(name, Path(folder)) for name in NETWORKS)
        for bundle in arguments.bundles or (*BUNDLES, *own):
            try:
                compare(bundle, arguments)
            except PackError as error:
                print(f"{bundle.name}, refused: {error}", flush=True)


if __name__ == "__main__":
    main()
