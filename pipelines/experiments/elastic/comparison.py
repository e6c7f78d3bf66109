"""Compare both trainings of the ladder, and each rung's net trained independently, on the same test images."""

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.experiments.elastic import independent, joint_training, prune_and_grow
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, PairedDifference, Run, Stage, data
from pipelines.stages.evaluation import KEYS, evaluate
from pipelines.stages.nets import load_net

if typing.TYPE_CHECKING:
    import keras

INDEPENDENT, JOINT, GROWN = "independent", "joint", "prune_and_grow"


@dataclass(frozen=True)
class MethodFigures(Record):
    """What a rung reaches by one method, and its paired difference from the rung's net trained independently."""

    accuracy_keras: float
    accuracy_tflite: float
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
    correct_independently = {}
    names = tuple(run.result(independent.STAGE).accuracy)
    with run.reporter.bar(3 * len(names), "nets") as advance:
        for done, (method, name, net) in enumerate(_nets(run, names), start=1):
            found = evaluate(run, net)
            figures = found.figures
            if method == INDEPENDENT:
                correct_independently[name] = found.correct
                rows[name] = ComparedRung(name, figures.params, figures.macs, {})
            rows[name].methods[method] = MethodFigures(
                figures.accuracy_keras,
                figures.accuracy_tflite,
                PairedDifference.of(found.correct, correct_independently[name]),
            )
            advance(done, f"{method} {name}")
    return Outcome(_summary(rows), ComparedRungs(tuple(rows.values())))


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


def _summary(rows: Mapping[str, ComparedRung]) -> str:
    parts = []
    for name, row in rows.items():
        points = [100 * figures.accuracy_keras for figures in row.methods.values()]
        parts.append(f"{name} {' / '.join(f'{each:.1f}' for each in points)}")
    return f"independent / joint / prune_and_grow, %: {'  '.join(parts)}"


STAGE = Stage(
    "comparison",
    run,
    ComparedRungs,
    keys=KEYS,
    stages=(data.STAGE, independent.STAGE, joint_training.STAGE, prune_and_grow.STAGE),
    packages=("tensorflow", "ai_edge_litert"),
)
