"""What an open int8 variant holds in memory: the estimate of `Budget(resident_bytes=)` against a process that runs it.

Each network of the zoo and its half are packed into a bundle, and `tx.profile` reads the largest resident memory of a
process for each variant. That contains the runtime's own share, which is the same for both, so differences between
the two are compared.

    python -m benchmarks.resident_memory [NET ...] [--write docs/costs.md]
"""

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import tfelastic as te
import tflite_export as tx
from benchmarks.cost_models import built
from benchmarks.measured_page import write
from tfelastic._cost import resident_bytes
from tfelastic._plan import Selection

NETS = ("resnet56", "vgg16_cifar", "alexnet_cifar", "mobilenet_v2_cifar")
WIDTHS = (1.0, 0.5)


@dataclass(frozen=True)
class Difference:
    """By how much a network holds more memory than its half, in bytes."""

    estimated: int
    measured: int

    @property
    def error(self) -> float:
        """How far the estimate is from the measurement, as a share of it."""
        return self.estimated / self.measured - 1


def difference(model: keras.Model, folder: Path) -> Difference:
    """Estimate and measure what a network holds more than its half.

    Args:
        model: A network that takes images.
        folder: Where a bundle may be written.
    """
    net = te.ElasticModel(model, te.ladder(model, widths=WIDTHS))
    estimates = [resident_bytes(Selection(net.graph, rung.plan)) for rung in net.ladder.rungs]
    path = folder / f"{model.name}.elastic"
    images = np.random.default_rng(0).integers(0, 256, (8, *model.input_shape[1:]), dtype=np.uint8)
    examples = te.data.Split(images, np.zeros(len(images), np.int64))
    tx.export(net, path, samples=images, test=examples, strays="keep")
    # Memory alone is asked for: latencies need not be known well.
    table = tx.profile(path, stop=tx.StoppingRule(half_width=0.5, limit_s=1.0))
    wide, narrow = (table.latencies[name].device.peak_rss_bytes or 0 for name in net.names)
    return Difference(estimates[0] - estimates[1], wide - narrow)


HEAD = (
    "| network | full less half, estimated bytes | measured bytes | error |",
    "|---|---:|---:|---:|",
)


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    options = parser.parse_args()
    lines = list(HEAD)
    print(*HEAD, sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        for net in options.nets:
            found = difference(built(net), Path(folder))
            lines.append(
                f"| {net} | {found.estimated:,} | {found.measured:,} | {found.error:+.1%} |"
            )
            print(lines[-1], flush=True)
    if options.write:
        write(options.write, "\n".join(lines), mark="resident memory")


if __name__ == "__main__":
    main()
