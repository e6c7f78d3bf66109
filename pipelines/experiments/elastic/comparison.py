"""Compare both trainings of the ladder, and each rung's net trained independently, on the same test examples."""

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.experiments.elastic import independent, joint_training, prune_and_grow
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, PairedDifference, Run, Stage, baseline, data
from pipelines.stages.evaluation import KEYS, evaluate
from pipelines.stages.metric import MetricDescription
from pipelines.stages.nets import load_net

if typing.TYPE_CHECKING:
    import keras

INDEPENDENT, JOINT, GROWN = "independent", "joint", "prune_and_grow"


@dataclass(frozen=True)
class MethodFigures(Record):
    """What a rung reaches by one method, and its paired difference from the rung's net trained independently."""

    score_keras: float
    score_tflite: float
    against_independent: PairedDifference


@dataclass(frozen=True)
class ComparedRung(Record):
    """A rung's costs, and what it reaches by each method."""

    name: str
    params: int
    macs: int
    methods: dict[str, MethodFigures]


@dataclass(frozen=True)
class ComparedRungs(Record):
    """Every rung, widest first."""

    rungs: tuple[ComparedRung, ...]


def run(run: Run[ElasticRecipe]) -> Outcome[ComparedRungs]:
    """Evaluate every net, and pair its answers with those of the rung's net trained independently."""
    rows: dict[str, ComparedRung] = {}
    independently = {}
    names = tuple(run.result(independent.STAGE).scores)
    with run.reporter.bar(3 * len(names), "nets") as advance:
        for done, (method, name, net) in enumerate(_nets(run, names), start=1):
            found = evaluate(run, net)
            figures = found.figures
            if method == INDEPENDENT:
                independently[name] = found.answers
                rows[name] = ComparedRung(name, figures.params, figures.macs, {})
            rows[name].methods[method] = MethodFigures(
                figures.score_keras,
                figures.score_tflite,
                PairedDifference.of(found.answers, independently[name]),
            )
            advance(done, f"{method} {name}")
    summary = _summary(rows, run.result(baseline.STAGE).metric)
    return Outcome(summary, ComparedRungs(tuple(rows.values())))


def _nets(
    run: Run[ElasticRecipe], names: tuple[str, ...]
) -> "Iterator[tuple[str, str, keras.Model]]":
    """Yield every rung's net: first those trained independently, then those of the two elastic networks."""
    for name in names:
        yield INDEPENDENT, name, load_net(run, independent.keras_file(name))
    for method, file in ((JOINT, joint_training.FILE), (GROWN, prune_and_grow.FILE)):
        net = load_net(run, file)
        for name in net.names:
            yield method, name, net.cut(name)


def _summary(rows: Mapping[str, ComparedRung], metric: MetricDescription) -> str:
    parts = []
    for name, row in rows.items():
        shown = [metric.show(figures.score_keras) for figures in row.methods.values()]
        parts.append(f"{name} {' / '.join(shown)}")
    return f"{metric.title}, independent / joint / prune_and_grow: {'  '.join(parts)}"


STAGE = Stage(
    "comparison",
    run,
    ComparedRungs,
    keys=KEYS,
    stages=(
        data.STAGE,
        baseline.STAGE,
        independent.STAGE,
        joint_training.STAGE,
        prune_and_grow.STAGE,
    ),
    packages=("tensorflow", "ai_edge_litert"),
)
