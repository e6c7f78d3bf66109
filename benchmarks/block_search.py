"""The first step of a block search on ResNet-56: one sweep for all 25 candidates, against one net after the other.

    python -m benchmarks.block_search [WEIGHTS.npz CIFAR10_TFDS_DIRECTORY] [--images 512]

Both ways take turns on the same images, part by part, so that a busy machine slows both alike. CPU time is what all
threads used together.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

import tfelastic as te
from benchmarks.quiet_machine import measured_quietly
from tfelastic.block_search import LeaveOneOutModel

_PARTS = 4
_BATCH = 256


@dataclass
class Clock:
    """Adds up the wall and CPU seconds of what it runs."""

    wall: float = 0.0
    cpu: float = 0.0

    def run(self, function: Callable[[], Any]) -> Any:
        """Return what `function` returns."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = function()
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu
        return result


def answers(model: keras.Model, images: np.ndarray, batch_size: int) -> np.ndarray:
    """Return the class that `model` gives each image, `[images, ...]`."""
    return model.predict(images, batch_size=batch_size, verbose=0).argmax(axis=-1)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", nargs="?", help="resnet56_cifar10.npz; else random ones")
    parser.add_argument("data", nargs="?", help="a prepared tfds directory of CIFAR-10; else noise")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--quick", action="store_true", help="64 images")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    count = 64 if options.quick else options.images
    if options.data:
        test = te.data.load(options.data).test.take(np.arange(count))
    else:
        random = np.random.default_rng(0)
        noise = random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        test = te.data.Split(noise, random.integers(0, 10, count))
    images = test.images.astype("float32")
    model = te.zoo.build("resnet56", input_shape=(32, 32, 3), classes=10)
    if options.weights:
        te.zoo.load_resnet_cifar(model, options.weights)
    graph = te.trace(model)
    blocks = [block.name for block in graph.blocks]
    rows, one, other = measured_quietly(lambda: both_ways(graph, blocks, images))
    if options.json:
        print(json.dumps(as_json(rows, len(blocks))))
        return
    print(f"ResNet-56, {len(blocks)} candidates, {len(images)} images of {options.data or 'noise'}")
    print(table(rows))
    print(f"answers that differ: {(one != other).sum()} of {one.size}")
    right = (one == test.labels[:, np.newaxis]).mean(axis=0)
    print("accuracy without each block: " + ", ".join(f"{share:.4f}" for share in right))


def as_json(rows: Sequence[tuple[str, Clock, Clock]], candidates: int) -> list[dict[str, Any]]:
    """Return the rows as plain data."""
    return [
        {
            "part": part,
            "candidates": candidates,
            "sweep_s": sweep.wall,
            "single_s": single.wall,
            "sweep_cpu_s": sweep.cpu,
            "single_cpu_s": single.cpu,
        }
        for part, sweep, single in rows
    ]


def both_ways(
    graph: te.LayerGraph, blocks: Sequence[str], images: np.ndarray
) -> tuple[list[tuple[str, Clock, Clock]], np.ndarray, np.ndarray]:
    """Return the table's rows, and the answers `[images, blocks]` of the sweep and of the nets one by one."""
    # As tfelastic.Accuracy does, both ways hold as many images in flight at most.
    sweep_batch = max(1, _BATCH // (1 + len(blocks)))
    first = np.array_split(images, _PARTS)[0]
    sweep_build, single_build, sweep_time, single_time = Clock(), Clock(), Clock(), Clock()
    together = sweep_build.run(lambda: built(LeaveOneOutModel(graph, blocks), first, sweep_batch))
    nets = single_build.run(lambda: [built(without(graph, name), first, _BATCH) for name in blocks])
    swept, single = [], []
    for part in np.array_split(images, _PARTS):
        swept.append(sweep_time.run(lambda part=part: answers(together, part, sweep_batch)))
        single.append(
            single_time.run(
                lambda part=part: np.stack([answers(net, part, _BATCH) for net in nets], axis=1)
            )
        )
    rows = [("build and warm up", sweep_build, single_build), ("evaluate", sweep_time, single_time)]
    total = Clock(sweep_build.wall + sweep_time.wall, sweep_build.cpu + sweep_time.cpu)
    totals = Clock(single_build.wall + single_time.wall, single_build.cpu + single_time.cpu)
    rows.append(("both", total, totals))
    return rows, np.concatenate(swept)[:, 1:], np.concatenate(single)


def built(model: keras.Model, images: np.ndarray, batch_size: int) -> keras.Model:
    """Return `model` after a first part, which traces it for every batch size that comes up."""
    answers(model, images, batch_size)
    return model


def without(graph: te.LayerGraph, name: str) -> keras.Model:
    """Return the net without one block."""
    return te.prune(graph.model, te.KeepPlan(graph.fingerprint, removed=(name,)))


def table(rows: Sequence[tuple[str, Clock, Clock]]) -> str:
    """Return the rows as text: one sweep, one net after the other, and the ratio, in wall and CPU time."""
    lines = [f"{'':18}{'sweep':>20}{'net by net':>20}{'ratio wall, CPU':>20}"]
    for name, sweep, single in rows:
        cells = [f"{clock.wall:7.1f} s ({clock.cpu:6.1f} s)" for clock in (sweep, single)]
        ratio = f"{sweep.wall / single.wall:.2f}, {sweep.cpu / single.cpu:.2f}"
        lines.append(f"{name:18}{cells[0]:>20}{cells[1]:>20}{ratio:>20}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
