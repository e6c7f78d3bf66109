"""How small TFLM's arena can be: its own planner, the planned file, and the bytes needed at one moment, in int8.

    python -m benchmarks.arena [NET ...] [--write docs/arena.md]

The networks of the zoo at their usual sizes, at full and at half width, and eight of keras.applications at 96x96 with
random weights. All sizes are bytes of activations as TFLM accounts for them, and of the smallest arena in which it
runs, on this 64-bit machine with reference kernels; outputs by the plan must equal those without it. A file that TFLM
cannot run is listed as it was computed. `--write` puts the table into that page.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import tfelastic as te
from benchmarks.measured_page import write
from tests.support.weights import randomize
from tflite_export import DeviceError, convert, measure_arena
from tflite_export.arena import ArenaPlan, plan_arena, with_arena_plan

ZOO = {
    "resnet8": (32, 32, 3),
    "resnet20": (32, 32, 3),
    "resnet56": (32, 32, 3),
    "vgg16_cifar": (32, 32, 3),
    "alexnet_cifar": (32, 32, 3),
    "mobilenet_v2_cifar": (32, 32, 3),
    "ds_cnn": (49, 10, 1),
    "unet": (32, 32, 3),
}
APPLICATIONS = (
    "DenseNet121",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "NASNetMobile",
)
SIZE = 96


@dataclass(frozen=True)
class Row:
    """One network: what `te.cost` predicted, the plan, and the whole arena without and with it."""

    net: str
    predicted_bytes: int
    plan: ArenaPlan
    arenas: tuple[int, int] | None

    def __str__(self) -> str:
        plan = self.plan
        whole = f"{self.arenas[0]:,} | {self.arenas[1]:,}" if self.arenas else "TFLM fails | "
        return (
            f"| {self.net} | {plan.tflm_bytes:,} | {plan.planned_bytes:,} | {plan.bound_bytes:,} | "
            f"{plan.in_place_bound_bytes:,} | {self.predicted_bytes:,} | {whole} |"
        )


HEAD = (
    "| network | TFLM's planner | planned | needed at once | in place | `te.cost` | arena | planned |",
    "|---|---:|---:|---:|---:|---:|---:|---:|",
)


def row(net: str, model: keras.Model) -> Row:
    """Convert, plan and measure one network."""
    shape = model.input_shape[1:]
    samples = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)
    tflite = convert(model, target="tflm", arena="tflm", strip=True, samples=samples)
    plan = plan_arena(tflite)
    try:
        before = measure_arena(tflite, timeout_s=900)
        after = measure_arena(with_arena_plan(tflite), timeout_s=900)
    except DeviceError as error:
        print(f"{net}: {str(error)[:200]}")
        return Row(net, te.cost(model).peak_bytes, plan, None)
    counted = (before.activation_bytes, after.activation_bytes)
    if counted != (plan.tflm_bytes, plan.planned_bytes):
        raise SystemExit(f"{net}: TFLM accounts for {counted}, the plan stated otherwise: {plan}")
    arenas = (before.arena_bytes, after.arena_bytes)
    return Row(net, te.cost(model).peak_bytes, plan, arenas)


def networks(names: list[str]) -> Iterator[tuple[str, keras.Model]]:
    """Build the networks of the table, or those that are named."""
    for name, shape in ZOO.items():
        if not names or name in names:
            model = randomize(te.zoo.build(name, input_shape=shape, classes=10), seed=0)
            yield name, model
            half = te.ladder(model, widths=(1.0, 0.5)).rungs[1].plan
            yield f"{name}, half", te.prune(model, half)
    for name in APPLICATIONS:
        if not names or name in names:
            build = getattr(keras.applications, name)
            options = {"weights": None, "classes": 10, "input_shape": (SIZE, SIZE, 3)}
            yield name, randomize(build(**options), seed=0)


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("nets", nargs="*")
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    options = parser.parse_args()
    lines = list(HEAD)
    print(*HEAD, sep="\n")
    for net, model in networks(options.nets):
        lines.append(str(row(net, model)))
        print(lines[-1], flush=True)
    if options.write:
        write(options.write, "\n".join(lines))


if __name__ == "__main__":
    main()
