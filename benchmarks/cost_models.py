"""How close the cost models come to what is measured, on the networks of the zoo at CIFAR's size.

For each network, at full and at half width: the estimated size of the int8 .tflite against the file, and the sum of the
measured operations against the whole, measured right after them in the same run. `--write docs/costs.md` puts the
tables into that page. (`arena` does the same for the peak of activation memory.)

    python -m benchmarks.cost_models [NET ...] [--runs N] [--write docs/costs.md]
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import tfelastic as te
from benchmarks.quiet_machine import measured_quietly
from tfelastic._cost import Anatomy, anatomy, tflite_bytes
from tfelastic._plan import Selection
from tfelastic.files import write_atomically
from tflite_export import convert
from tflite_export._profile.microbenchmarks import microbenchmarks
from tflite_export._profile.operations import measure_files, table_of
from tflite_export.quantize.scheme import get_scheme

NETS = ("resnet8", "resnet20", "resnet56", "vgg16_cifar", "alexnet_cifar", "mobilenet_v2_cifar")


@dataclass(frozen=True)
class Found:
    """What one network at one width was predicted to take, and took."""

    net: str
    width: str
    anatomy: Anatomy
    size: tuple[int, int]
    latency: tuple[float, float]


def built(net: str) -> keras.Model:
    """Return a network without a zero bias or a unit scale, which the converter would leave out."""
    model = te.zoo.build(net, input_shape=(32, 32, 3), classes=10)
    generator = np.random.default_rng(0)
    for variable in model.variables:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))
        elif variable.name in ("beta", "bias", "moving_mean"):
            variable.assign(generator.normal(0, 0.3, variable.shape))
    return model


def measured(net: str, *, runs: int) -> list[Found]:
    """Measure one network at both widths."""
    model = built(net)
    ladder = te.ladder(model, widths=(1.0, 0.5))
    models = {"1": model, "1/2": te.prune(model, ladder.rungs[1].plan)}
    samples = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    files = {width: convert(each, samples=samples) for width, each in models.items()}
    small = microbenchmarks(model, round_to=8, scheme=get_scheme("int8"))
    weights = model.count_params()  # One byte each, in int8.
    p50_us = measure_files(small, runs=runs, evicted_bytes=weights)
    p50_us |= measure_files(files, runs=runs)
    wholes = {width: p50_us.pop(width) for width in files}
    table = table_of(p50_us, scheme="int8", threads=1)
    print(f"{net}: {len(small)} operations measured, overhead {table.overhead_us:.2f} us")
    found = []
    for width, each in models.items():
        selection = Selection(te.trace(each))
        found.append(
            Found(
                net=net,
                width=width,
                anatomy=anatomy(selection),
                size=(tflite_bytes(selection), len(files[width])),
                latency=(table.latency_us(selection), wholes[width]),
            )
        )
    return found


def tables(found: Sequence[Found]) -> str:
    """Return the two tables as Markdown."""
    size = [
        "| network | width | estimated bytes | bytes of the file | error |",
        "|---|---|---:|---:|---:|",
    ]
    latency = ["| network | width | sum / whole | whole, us |", "|---|---|---:|---:|"]
    for each in found:
        start = f"| {each.net} | {each.width} |"
        size.append(f"{start} {_pair(each.size)} |")
        total, whole = each.latency
        latency.append(f"{start} {total / whole:.2f} | {whole:,.0f} |")
    parts = ("### File size", size, "### Latency", latency)
    return "\n\n".join(part if isinstance(part, str) else "\n".join(part) for part in parts)


def _pair(pair: tuple[int, int]) -> str:
    predicted, real = pair
    return f"{predicted:,} | {real:,} | {predicted / real - 1:+.1%}"


def fit(found: Sequence[Found]) -> str:
    """Return the constants of the file size that fit these files best, by relative error."""
    real = np.array([each.size[1] for each in found], float)
    counts = np.array(
        [(1, a.operations, a.kernels, a.constants) for a in (each.anatomy for each in found)],
        float,
    )
    rest = real - [each.anatomy.payload_bytes + each.anatomy.letters for each in found]
    constants, *_ = np.linalg.lstsq(counts / real[:, None], rest / real)
    names = ("file", "operation", "kernel", "constant")
    return ", ".join(
        f"per {name} {value:.1f}" for name, value in zip(names, constants, strict=True)
    )


def write(path: Path, text: str) -> None:
    """Replace what stands between the two marks of a page."""
    begin, end = "<!-- measured: begin -->", "<!-- measured: end -->"
    before, _, rest = path.read_text().partition(begin)
    write_atomically(path, f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}".encode())


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--write", type=Path, help="the page to put the tables into")
    options = parser.parse_args()
    found: list[Found] = []
    for net in options.nets:
        found += measured_quietly(partial(measured, net, runs=options.runs))
        print(*found[-2:], sep="\n", flush=True)
    text = tables(found)
    print(text)
    print(f"\nbest constants of the file size: {fit(found)}")
    if options.write:
        write(options.write, text)


if __name__ == "__main__":
    main()
