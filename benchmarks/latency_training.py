"""How accurate ladders cut by latency are beside uniform ones of equal latency, both trained jointly from one baseline.

For each network a baseline is trained, its ladder is cut to shares of the predicted latency, and that ladder and a
uniform one of as many rungs are each trained jointly from the baseline, for equally many epochs. Then the rungs of both
are converted and timed whole, all of them interleaved. A rung's gain is its accuracy above that of the uniform ladder
at the same latency, interpolated along the uniform rungs that no other one beats in both. Where no uniform rung is as
fast, uniform widths do not reach the latency, and the gain is counted from the fastest of them.

Everything is kept in a folder, and the same command goes on where it was stopped: after the last epoch that had ended.
The trainings may share the machine with other work; what is timed, the table of operations at the start and the rungs
at the end, waits for a quiet machine. Instead of the former a table that was measured before may be given; until the
latter is done the latencies are those that the table predicts, and marked so.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import tfelastic as te
import tflite_export as tx
from benchmarks.quiet_machine import BusyMachineError, measured_quietly
from pipelines.experiments import parse_recipe, stages_of
from pipelines.experiments.elastic import joint_training
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.experiments.elastic.training_results import JointlyTrained
from pipelines.progress import Reporter
from pipelines.recipe import read_tree
from pipelines.stages import Run, baseline, run_stages
from pipelines.workspace import Workspace
from tfelastic._plan import Selection
from tfelastic.files import write_atomically

#: The recipe whose schedules both trainings follow.
RECIPE = "cifar10_resnet20_quick"
RESULTS = "results.json"


@dataclass(frozen=True)
class TrainedRung:
    """One rung: what cut it, how accurate it became, and what it takes.

    Attributes:
        ladder: `"latency"` or `"uniform"`.
        name: The rung's name.
        accuracy: Its share of right answers on the test images, 0 to 1.
        latency_us: Its latency in microseconds.
        measured: Whether that was measured; predicted otherwise.
    """

    ladder: str
    name: str
    accuracy: float
    latency_us: float
    measured: bool


@dataclass(frozen=True)
class Gain:
    """What a rung is above the uniform ladder at its latency.

    Attributes:
        points: Percentage points of accuracy.
        bound: Whether the uniform ladder has no rung as fast, so that the points are a lower bound.
    """

    points: float
    bound: bool


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to train, and where to keep it.

    Attributes:
        folder: Where everything is kept.
        data: What `data.source` of a recipe takes.
        shares: Shares of the latency that the rungs below the first may take.
        widths: The uniform ladder.
        limit: How many training images are used; all unless given.
        epochs: Epochs of the baseline and of each joint training.
        scheme: The quantization scheme that is timed.
        runs: Timed runs of each file.
        changes: `KEY=VALUE` texts that change the recipe of both trainings.
        weights: Trained weights to start from in place of a baseline of our own.
        table: The operations' table; measured on this machine unless given.
    """

    folder: Path
    data: str
    shares: tuple[float, ...]
    widths: tuple[float, ...]
    limit: int | None = None
    epochs: tuple[int, int] = (3, 3)
    scheme: str = "int8"
    runs: int = 200
    changes: tuple[str, ...] = ()
    weights: Path | None = None
    table: Path | None = None

    def table_of(self, net: str) -> Path:
        """Return the file of the table that prices a network's rungs."""
        return self.table or self.folder / net / f"operations.{self.scheme}.json"

    def recipe(self, net: str, ladder: str) -> ElasticRecipe:
        """Return the recipe of one training; that of the uniform ladder starts from the other's baseline."""
        folder = self.folder / net
        tree = read_tree(RECIPE, overrides=self.changes)
        tree["name"] = f"{net}-{ladder}"
        tree["data"] |= {"source": self.data, "limit": self.limit}
        tree["export"] |= {"scheme": self.scheme}
        tree["elastic"] |= {"epochs": self.epochs[1]}
        if ladder == "latency":
            table = str(self.table_of(net))
            budgets = {"resource": "latency_us", "shares": self.shares, "table": table}
            tree["ladder"] = {"budgets": budgets}
            tree["model"] |= {"name": net}
            if self.weights is None:
                tree["baseline"] |= {"epochs": self.epochs[0]}
            else:
                tree["model"] |= {"weights": str(self.weights)}
                tree["baseline"] = "none"
        else:
            tree["ladder"] = {"widths": self.widths}
            tree["model"] = {"name": str(folder / "latency" / baseline.FILE)}
            tree["baseline"] = "none"
        recipe = parse_recipe(tree)
        assert isinstance(recipe, ElasticRecipe)
        return recipe


def compare(
    net: str,
    request: Request,
    *,
    quietly: Callable[[Callable[[], Any]], Any] = measured_quietly,
) -> list[TrainedRung]:
    """Train both ladders of a network, or go on with it, and time their rungs once the machine is quiet.

    Args:
        net: The network's name in the zoo.
        request: How.
        quietly: Runs a measurement on a quiet machine.

    Raises:
        BusyMachineError: There is no table of the network's operations yet, and the machine is busy.
    """
    folder = request.folder / net
    folder.mkdir(parents=True, exist_ok=True)
    measure_operations(net, request, quietly=quietly)
    trained = {
        ladder: _trained(request.recipe(net, ladder), folder / ladder)
        for ladder in ("latency", "uniform")
    }
    times = _rung_times(folder, trained, request, quietly)
    rungs = [
        TrainedRung(ladder, name, accuracy, times.latency_us[ladder][name], times.measured)
        for ladder, found in trained.items()
        for name, accuracy in found.scores.items()
    ]
    gains = gains_of(rungs)
    rows = [
        asdict(rung) | (asdict(gains[rung.name]) if rung.ladder == "latency" else {})
        for rung in rungs
    ]
    results = {
        "net": net,
        "scheme": request.scheme,
        "epochs": request.epochs,
        "images": request.limit,
        "pretrained": request.weights is not None,
        "rungs": rows,
    }
    write_atomically(folder / RESULTS, json.dumps(results, indent=2) + "\n")
    return rungs


def measure_operations(
    net: str,
    request: Request,
    *,
    quietly: Callable[[Callable[[], Any]], Any] = measured_quietly,
) -> Path:
    """Return the file of the table that prices a network's rungs, measured now where there is none.

    Raises:
        BusyMachineError: There is none yet, and the machine is busy.
        FileNotFoundError: The table that was asked for does not exist.
    """
    file = request.table_of(net)
    if not file.exists():
        if request.table is not None:
            raise FileNotFoundError(f"there is no table {request.table}")
        file.parent.mkdir(parents=True, exist_ok=True)
        model = te.zoo.build(net, input_shape=(32, 32, 3), classes=10)
        quietly(partial(tx.profile_ops, model, scheme=request.scheme)).save(file)
    return file


def _trained(recipe: ElasticRecipe, folder: Path) -> JointlyTrained:
    """Run a recipe's stages to the end of its joint training."""
    stages = stages_of(recipe)
    with Workspace.open(folder, recipe.name) as workspace:
        run = Run(recipe, workspace, Reporter(), command="python -m benchmarks.latency_ladder")
        run_stages(run, stages[: stages.index(joint_training.STAGE) + 1])
        return run.result(joint_training.STAGE)


@dataclass(frozen=True)
class _Times:
    """The latency of each ladder's rungs in microseconds, and whether it was measured."""

    latency_us: Mapping[str, Mapping[str, float]]
    measured: bool


def _rung_times(
    folder: Path,
    trained: Mapping[str, JointlyTrained],
    request: Request,
    quietly: Callable[..., Any],
) -> _Times:
    """Return what the rungs were measured to take, in this run or an earlier one; what they should, if none was."""
    file = folder / f"timings.{request.scheme}.json"
    if file.exists():
        kept: dict[str, dict[str, float]] = json.loads(file.read_text("utf-8"))
        if all(kept[ladder].keys() == found.scores.keys() for ladder, found in trained.items()):
            return _Times(kept, measured=True)
    nets = {
        ladder: keras.saving.load_model(folder / ladder / joint_training.FILE) for ladder in trained
    }
    try:
        found = _by_ladder(quietly(partial(_timed, nets, request)))
    except BusyMachineError as error:
        print(f"the rungs of {folder.name} were not timed, give the same command again: {error}")
        table = te.LatencyTable.load(request.table_of(folder.name))
        return _Times({ladder: _predicted(net, table) for ladder, net in nets.items()}, False)
    write_atomically(file, json.dumps(found, indent=2) + "\n")
    return _Times(found, measured=True)


def _predicted(net: te.ElasticModel, table: te.LatencyTable) -> dict[str, float]:
    rungs = net.ladder.rungs
    return {rung.name: table.latency_us(Selection(net.graph, rung.plan)) for rung in rungs}


def _timed(nets: Mapping[str, te.ElasticModel], request: Request) -> dict[tuple[str, str], float]:
    shape = nets["latency"].base.input_shape[1:]
    samples = np.random.default_rng(0).integers(0, 256, (8, *shape), dtype=np.uint8)
    needed = None if request.scheme == "float32" else samples
    files = {
        (ladder, name): tx.convert(net.cut(name), scheme=request.scheme, samples=needed)
        for ladder, net in nets.items()
        for name in net.names
    }
    return tx.measure_files(files, runs=request.runs)


def _by_ladder(times: Mapping[tuple[str, str], float]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for (ladder, name), latency in times.items():
        found.setdefault(ladder, {})[name] = latency
    return found


def gains_of(rungs: Sequence[TrainedRung]) -> dict[str, Gain]:
    """Return, for each rung cut by latency, its accuracy above the uniform ladder at its latency.

    Example:
        >>> uniform = [TrainedRung("uniform", "w100", 0.9, 100, True), TrainedRung("uniform", "w050", 0.8, 60, True)]
        >>> cut = [TrainedRung("latency", "t080", 0.88, 80, True), TrainedRung("latency", "t040", 0.81, 40, True)]
        >>> gains_of([*uniform, *cut])
        {'t080': Gain(points=3.0, bound=False), 't040': Gain(points=1.0, bound=True)}
    """
    fastest_first = sorted(
        (rung for rung in rungs if rung.ladder == "uniform"),
        key=lambda rung: (rung.latency_us, -rung.accuracy),
    )
    front: list[TrainedRung] = []
    for rung in fastest_first:
        if not front or rung.accuracy > front[-1].accuracy:
            front.append(rung)
    latencies = [rung.latency_us for rung in front]
    accuracies = [rung.accuracy for rung in front]
    return {
        rung.name: Gain(
            round(
                100 * (rung.accuracy - float(np.interp(rung.latency_us, latencies, accuracies))), 2
            ),
            bound=rung.latency_us < latencies[0],
        )
        for rung in rungs
        if rung.ladder == "latency"
    }


HEAD = [
    "| network | ladder | rung | latency, us | accuracy | points above uniform at equal latency |",
    "|---|---|---|---:|---:|---:|",
]


def page(folder: Path) -> str:
    """Return the table of all networks whose results are kept in a folder, and how each was trained, as Markdown.

    Args:
        folder: A `Request.folder`.
    """
    found = [json.loads(file.read_text("utf-8")) for file in sorted(folder.glob(f"*/{RESULTS}"))]
    notes = [_how_trained(each) for each in found]
    rows = [
        line
        for each in found
        for line in lines(each["net"], [_rung_of(row) for row in each["rungs"]])
    ]
    return "\n".join([*notes, "", *HEAD, *rows])


def _how_trained(results: Mapping[str, Any]) -> str:
    first, both = results["epochs"]
    start = "pretrained weights" if results["pretrained"] else f"a baseline of {first} epochs"
    images = "all" if results["images"] is None else f"{results['images']:,}"
    return (
        f"- {results['net']}, {results['scheme']}: each ladder trained for {both} epochs on {images} training images, "
        f"from {start}."
    )


def _rung_of(row: Mapping[str, Any]) -> TrainedRung:
    return TrainedRung(**{field.name: row[field.name] for field in fields(TrainedRung)})


def lines(net: str, rungs: Sequence[TrainedRung]) -> list[str]:
    """Return the rows of one network's table."""
    gains = gains_of(rungs)
    rows = []
    for rung in rungs:
        gain = gains.get(rung.name) if rung.ladder == "latency" else None
        above = f"{gain.points:+.1f}" if gain else "-"
        if gain and gain.bound:
            above = f"not reached by uniform; {above} above its fastest"
        latency = f"{rung.latency_us:,.0f}{'' if rung.measured else ' (predicted)'}"
        rows.append(
            f"| {net} | {rung.ladder} | {rung.name} | {latency} | {rung.accuracy:.2%} | {above} |"
        )
    return rows
