"""Compare the nets that were trained directly with the one that was ranked and fine-tuned, budget by budget."""

import importlib.util
import typing
from dataclasses import dataclass, replace
from typing import Any

from pipelines.experiments.complexity import direct_training, fine_tuning, plans
from pipelines.experiments.complexity.fine_tuning import RANKED
from pipelines.experiments.complexity.recipe import ComplexityRecipe
from pipelines.recipe import Limits
from pipelines.records import Record
from pipelines.stages import NetFigures, Outcome, PairedDifference, Run, Stage, baseline, data
from pipelines.stages.answers import Answers
from pipelines.stages.evaluation import KEYS, evaluate
from pipelines.stages.history import training_seconds
from pipelines.stages.nets import load_net

if typing.TYPE_CHECKING:
    import keras

#: What the net that all are pruned from is called where methods have their names.
ORIGINAL = "original"


@dataclass(frozen=True)
class TraceStep(Record):
    """One step of a plan: the group that it made smaller, and how many units it left of it."""

    group: str
    keep: int


@dataclass(frozen=True, kw_only=True)
class MethodFigures(NetFigures):
    """What a net costs and reaches, and what its trainings took.

    Attributes:
        method: What pruned it: a mode of complexity, `ranked`, or `original` for none.
        activation_bytes: The bytes of all int8 activations that a run makes.
        arena_bytes: The arena that TFLM takes; `None` where it is not installed or cannot run the file.
        latency_us: The median latency on this machine.
        seconds: How long all trainings took that led to the net.
        steps: How complexity's plan came about; empty for the others.
        against_ranked: The paired difference from the net that was ranked and fine-tuned.
    """

    method: str
    activation_bytes: int
    arena_bytes: int | None
    latency_us: float
    seconds: float
    steps: tuple[TraceStep, ...]
    against_ranked: PairedDifference | None


@dataclass(frozen=True)
class ComparedMethods(Record):
    """The nets of one budget: one for each mode of complexity, the ranked one last."""

    budget: Limits
    rows: tuple[MethodFigures, ...]


@dataclass(frozen=True)
class ComparedBudgets(Record):
    """The original, and the nets of each budget."""

    original: MethodFigures
    comparisons: tuple[ComparedMethods, ...]


def run(run: Run[ComplexityRecipe]) -> Outcome[ComparedBudgets]:
    """Evaluate every net, then let their files take turns on this machine."""
    import tflite_export as tx

    comparisons, profile = run.recipe.complexity.comparisons, run.recipe.profile
    methods = {ORIGINAL: ORIGINAL}
    for each in comparisons:
        methods |= {each.net_name(method): method for method in (*each.modes, RANKED)}
    rows: dict[str, MethodFigures] = {}
    answers, files = {}, {}
    with run.reporter.bar(len(methods), "nets") as advance:
        for name, method in methods.items():
            rows[name], answers[name], files[name] = _evaluate(run, name, method)
            advance(len(rows), name)
    latencies = tx.measure_files(files, threads=profile.threads, runs=profile.runs)
    rows = {name: replace(row, latency_us=latencies[name]) for name, row in rows.items()}
    compared = []
    for each in comparisons:
        ranked = each.net_name(RANKED)
        direct = tuple(
            replace(rows[name], against_ranked=PairedDifference.of(answers[name], answers[ranked]))
            for name in map(each.net_name, each.modes)
        )
        compared.append(ComparedMethods(each.budget, (*direct, rows[ranked])))
    metric = run.result(baseline.STAGE).metric
    shown = "  ".join(f"{name} {metric.show(row.score_keras)}" for name, row in rows.items())
    return Outcome(
        f"{metric.title}: {shown}",
        ComparedBudgets(rows[ORIGINAL], tuple(compared)),
    )


def _evaluate(
    run: Run[ComplexityRecipe], name: str, method: str
) -> tuple[MethodFigures, Answers, bytes]:
    """Return a net's figures, its answers to the test examples, and its file."""
    file = baseline.FILE if method == ORIGINAL else direct_training.keras_file(name)
    net = load_net(run, file)
    found = evaluate(run, net)
    row = MethodFigures(
        **vars(found.figures),
        method=method,
        activation_bytes=_activation_bytes(net),
        arena_bytes=_arena_bytes(found.tflite),
        latency_us=0.0,
        seconds=_training_seconds(run, name, method),
        steps=_steps(run, name),
        against_ranked=None,
    )
    return row, found.answers, found.tflite


def _activation_bytes(net: "keras.Model") -> int:
    import tfelastic as te

    return te.activation_bytes(net)


def _arena_bytes(tflite: bytes) -> int | None:
    """Return the arena that TFLM takes; `None` where it is not installed or cannot run the file."""
    import tflite_export as tx

    if importlib.util.find_spec("tflite_micro") is None:
        return None
    try:
        return tx.measure_arena(tflite).arena_bytes
    except tx.DeviceError:
        return None


def _training_seconds(run: Run[ComplexityRecipe], name: str, method: str) -> float:
    """Return how long all trainings took that led to a net."""
    original = training_seconds(run.result(baseline.STAGE).history)
    if method == ORIGINAL:
        return original
    if method == RANKED:
        return original + training_seconds(run.result(fine_tuning.STAGE).histories[name])
    return training_seconds(run.result(direct_training.STAGE).histories[name])


def _steps(run: Run[ComplexityRecipe], name: str) -> tuple[TraceStep, ...]:
    traces: dict[str, Any] = run.read_json(plans.FILE)
    steps = traces[name]["steps"] if name in traces else ()
    return tuple(TraceStep(step["group"], step["keep"]) for step in steps)


STAGE = Stage(
    "budget_comparison",
    run,
    ComparedBudgets,
    keys=(*KEYS, "profile", "complexity.comparisons"),
    stages=(data.STAGE, plans.STAGE, direct_training.STAGE, baseline.STAGE, fine_tuning.STAGE),
    packages=("tensorflow", "ai_edge_litert"),
)
