"""How close the cost models come to what is measured, on the networks of the zoo at CIFAR's size.

For each network, at full width and at two narrower ones: the estimated size of the int8 .tflite against the file, and
the latency that a table of its operations predicts against the whole, measured in turns with them. A table is fitted to
whole networks of widths 1, 1/2 and 1/4; of the widths here it has not seen 3/4. `--write docs/costs.md` puts the tables
into that page. (`arena` does the same for the peak of activation memory.)

    python -m benchmarks.cost_models [NET ...] [--runs N] [--write docs/costs.md]
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import tfelastic as te
import tflite_export as tx
from benchmarks.measured_page import write
from benchmarks.quiet_machine import measured_quietly
from tfelastic._cost import Anatomy, anatomy, tflite_bytes
from tfelastic._plan import Selection
from tflite_export import convert

NETS = ("resnet8", "resnet20", "resnet56", "vgg16_cifar", "alexnet_cifar", "mobilenet_v2_cifar")


@dataclass(frozen=True)
class Found:
    """What one network at one width was predicted to take by one scheme, and took."""

    net: str
    width: str
    scheme: str
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


WIDTHS = {"1": 1.0, "3/4": 0.75, "1/2": 0.5}


def measured(net: str, *, scheme: str = "int8", runs: int) -> list[Found]:
    """Measure one network at each width, the whole networks in turns with the operations."""
    model = built(net)
    ladder = te.ladder(model, widths=tuple(WIDTHS.values()))
    models = {
        width: te.prune(model, rung.plan) for width, rung in zip(WIDTHS, ladder.rungs, strict=True)
    }
    samples = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    files: dict[Any, bytes] = {
        width: convert(each, scheme=scheme, samples=None if scheme == "float32" else samples)
        for width, each in models.items()
    }
    wholes: dict[str, float] = {}

    def measure(small: Mapping[Any, bytes], **options: Any) -> dict[Any, float]:
        times = tx.measure_files({**small, **files}, **options)
        wholes.update({width: times.pop(width) for width in files})
        return times

    table = tx.profile_ops(model, scheme=scheme, runs=runs, measure=measure)
    print(
        f"{net}, {scheme}: overhead {table.overhead_us:.2f} us, factor {table.factor:.3f}, "
        f"{1e6 * table.weight_us:.1f} us for each million weights"
    )
    found = []
    for width, each in models.items():
        selection = Selection(te.trace(each))
        found.append(
            Found(
                net=net,
                width=width,
                scheme=scheme,
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
    latency = [
        "| network | scheme | width | predicted / measured | measured, us |",
        "|---|---|---|---:|---:|",
    ]
    for each in found:
        if each.scheme == "int8":
            size.append(f"| {each.net} | {each.width} | {_pair(each.size)} |")
        total, whole = each.latency
        start = f"| {each.net} | {each.scheme} | {each.width} |"
        latency.append(f"{start} {total / whole:.2f} | {whole:,.0f} |")
    parts = ("### File size", size, "### Latency", latency)
    return "\n\n".join(part if isinstance(part, str) else "\n".join(part) for part in parts)


def _pair(pair: tuple[int, int]) -> str:
    predicted, real = pair
    return f"{predicted:,} | {real:,} | {predicted / real - 1:+.1%}"


def fit(found: Sequence[Found]) -> str:
    """Return the constants of the file size that fit these files best, by relative error."""
    found = [each for each in found if each.scheme == "int8"]
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


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--schemes", nargs="+", default=["int8", "float32"])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--write", type=Path, help="the page to put the tables into")
    options = parser.parse_args()
    found: list[Found] = []
    for net in options.nets:
        for scheme in options.schemes:
            found += measured_quietly(partial(measured, net, scheme=scheme, runs=options.runs))
            print(*found[-len(WIDTHS) :], sep="\n", flush=True)
    text = tables(found)
    print(text)
    print(f"\nbest constants of the file size: {fit(found)}")
    if options.write:
        write(options.write, text)


if __name__ == "__main__":
    main()
