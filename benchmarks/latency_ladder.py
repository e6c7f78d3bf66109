"""Ladders cut by measured latency beside ladders cut by width: how fast each rung really is.

For each network a table of its operations is measured, a ladder is cut to 75, 50 and 35 % of the predicted latency by
`Greedy` (widths and blocks) and by HALP's `Knapsack` (widths), and another to uniform widths. Every rung is converted
and timed whole, all of them interleaved. Printed are, for each rung, its share of the MACs, its measured latency, its
speed-up over the MAC ratio, and how far the prediction was off.

    python -m benchmarks.latency_ladder [NET ...] [--scheme int8] [--runs N] [--table FILE] [--write docs/costs.md]

With `--train` the rungs are trained as well, beside a uniform ladder's (see `latency_training`); `taskset -c 0` keeps
that to one core. Timing needs a quiet machine and training does not, so the work may be parted: `--only-table` ends
once the operations are measured, the command without it trains, and, given again on a quiet machine, times the rungs.

    python -m benchmarks.latency_ladder --train --folder runs/latency_ladder [NET ...] --only-table
    python -m benchmarks.latency_ladder --train --folder runs/latency_ladder [NET ...] --data DIR [--epochs 3]
        [--weights FILE] [--table FILE] [--write docs/costs.md]
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import tfelastic as te
import tflite_export as tx
from benchmarks import latency_training
from benchmarks.cost_models import built
from benchmarks.measured_page import write
from benchmarks.quiet_machine import measured_quietly
from tfelastic._plan import Selection

NETS = ("resnet20", "resnet56", "mobilenet_v2_cifar")
SHARES = (0.75, 0.5, 0.35)
WIDTHS = (1.0, 0.875, 0.8, 0.75, 0.64, 0.5, 0.25)


@dataclass(frozen=True)
class TimedRung:
    """One rung: what it was cut to, and what it takes.

    Attributes:
        ladder: What cut it.
        name: The rung's name.
        macs: Its share of the MACs of the whole network, 0 to 1.
        measured: Its share of the measured latency, 0 to 1.
        latency_us: Its measured latency in microseconds.
        predicted_us: Its predicted latency in microseconds.
    """

    ladder: str
    name: str
    macs: float
    measured: float
    latency_us: float
    predicted_us: float

    @property
    def efficiency(self) -> float:
        """The speed-up over the MAC ratio: 1 where latency falls as MACs do."""
        return self.macs / self.measured

    @property
    def error(self) -> float:
        """How far the prediction is from the measurement, as a share of it."""
        return self.predicted_us / self.latency_us - 1


def ladders(model: keras.Model, table: te.LatencyTable) -> Iterator[tuple[str, te.Ladder]]:
    """Yield the ladders to compare, by what cuts them; that of widths alone as far down as those reach."""
    budgets = [te.Budget(latency_us=share, latency=table) for share in SHARES]
    graph = te.trace(model)
    yield "greedy", te.ladder(graph, budgets=budgets)
    narrowest = te.ladder(graph, widths=(1.0, 1e-6)).rungs[-1].plan
    reached = [each for each in budgets if te.spending(graph, narrowest, each).fits]
    if reached:
        yield "knapsack", te.ladder(graph, budgets=reached, strategy="knapsack")
    if len(reached) < len(budgets):
        shares = ", ".join(f"{each.latency_us:.0%}" for each in budgets[len(reached) :])
        print(f"{model.name}: widths alone do not reach {shares} of the latency", file=sys.stderr)
    yield "uniform", te.ladder(graph, widths=WIDTHS)


def measured(net: str, *, scheme: str, runs: int, table: Path | None = None) -> list[TimedRung]:
    """Measure one network's ladders, cut by a table of its operations that is measured now unless given."""
    model = built(net)
    graph = te.trace(model)
    prices = (
        te.LatencyTable.load(table) if table else tx.profile_ops(model, scheme=scheme, runs=runs)
    )
    plans: dict[tuple[str, str], te.KeepPlan] = {
        (cut, rung.name): rung.plan
        for cut, ladder in ladders(model, prices)
        for rung in ladder.rungs
    }
    files = {key: _converted(te.prune(model, plan), scheme) for key, plan in plans.items()}
    times = tx.measure_files(files, runs=runs)
    macs = {key: te.cost(graph, plan).macs for key, plan in plans.items()}
    predicted = {key: prices.latency_us(Selection(graph, plan)) for key, plan in plans.items()}
    return list(_rungs(times, macs, predicted))


def _rungs(
    times: Mapping[tuple[str, str], float],
    macs: Mapping[tuple[str, str], int],
    predicted: Mapping[tuple[str, str], float],
) -> Iterator[TimedRung]:
    whole = next(iter(times))
    for (cut, name), latency in times.items():
        yield TimedRung(
            cut,
            name,
            macs[cut, name] / macs[whole],
            latency / times[whole],
            latency,
            predicted[cut, name],
        )


def _converted(model: keras.Model, scheme: str) -> bytes:
    samples = np.random.default_rng(0).integers(0, 256, (8, *model.input_shape[1:]), dtype=np.uint8)
    return tx.convert(model, scheme=scheme, samples=None if scheme == "float32" else samples)


def lines(net: str, found: Sequence[TimedRung]) -> list[str]:
    """Return the rows of one network's table."""
    return [
        f"| {net} | {each.ladder} | {each.name} | {each.macs:.0%} | {each.latency_us:,.0f} | {each.measured:.0%} | "
        f"{1 / each.measured:.2f}x | {each.efficiency:.2f} | {each.error:+.0%} |"
        for each in found
    ]


HEAD = [
    "| network | ladder | rung | MACs | latency, us | share | speed-up | speed-up / MAC ratio | prediction |",
    "|---|---|---|---:|---:|---:|---:|---:|---:|",
]


def main() -> None:
    """Measure and print, or train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("nets", nargs="*", default=NETS)
    parser.add_argument("--scheme", default="int8", choices=["int8", "float32"])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--table", type=Path, help="a table of operations, measured before")
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    training = parser.add_argument_group("accuracy")
    training.add_argument("--train", action="store_true", help="train the rungs as well")
    training.add_argument("--data", default="cifar10", help="a name of tfds or a prepared folder")
    training.add_argument("--folder", type=Path, default=Path("runs/latency_ladder"))
    training.add_argument("--only-table", action="store_true", help="end once there are prices")
    training.add_argument("--weights", type=Path, help="start from these, without a baseline")
    training.add_argument("--limit", type=int, default=20_000, help="training images; 0 for all")
    training.add_argument(
        "--epochs", type=int, default=3, help="of the baseline and of each ladder"
    )
    training.add_argument("--widths", type=float, nargs="+", default=[1.0, 0.75, 0.5, 0.25])
    training.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    if options.train:
        _train(options)
        return
    page = list(HEAD)
    print(*HEAD, sep="\n", flush=True)
    for net in options.nets:
        measure = partial(
            measured, net, scheme=options.scheme, runs=options.runs, table=options.table
        )
        rows = lines(net, measured_quietly(measure))
        print(*rows, sep="\n", flush=True)
        page += rows
    if options.write:
        write(options.write, "\n".join(page), mark=f"rungs, {options.scheme}")


def _train(options: argparse.Namespace) -> None:
    request = latency_training.Request(
        folder=options.folder,
        data=options.data,
        shares=SHARES,
        widths=tuple(options.widths),
        limit=options.limit or None,
        epochs=(options.epochs, options.epochs),
        scheme=options.scheme,
        runs=options.runs,
        changes=tuple(options.set),
        weights=options.weights,
        table=options.table,
    )
    for net in options.nets:
        if options.only_table:
            print(latency_training.measure_operations(net, request))
        else:
            latency_training.compare(net, request)
    if not options.only_table:
        page = latency_training.page(options.folder)
        print(page)
        if options.write:
            write(options.write, page, mark="trained rungs")


if __name__ == "__main__":
    main()
