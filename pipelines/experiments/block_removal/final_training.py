"""Train the net that the budget left, and the full net for as long, and evaluate both."""

import typing
from dataclasses import dataclass

from pipelines.experiments.block_removal import block_search
from pipelines.experiments.block_removal.recipe import BlockRemovalRecipe
from pipelines.records import Record
from pipelines.stages import (
    Evaluation,
    NetFigures,
    Outcome,
    PairedDifference,
    Run,
    Stage,
    baseline,
    data,
)
from pipelines.stages.evaluation import KEYS, evaluate
from pipelines.stages.history import History
from pipelines.stages.nets import load_net
from pipelines.stages.task import Task, task_of

if typing.TYPE_CHECKING:
    import keras

    from pipelines.stages.training import Trained

FILE = "pruned.keras"
TFLITE = "pruned.tflite"
BASELINE, FULL, PRUNED = "baseline", "full", "pruned"


@dataclass(frozen=True, kw_only=True)
class FinalNet(NetFigures):
    """A net's figures, and its paired difference from the baseline."""

    name: str
    against_baseline: PairedDifference


@dataclass(frozen=True)
class FinallyTrained(Record):
    """The baseline, the full net trained on, and the pruned net; and the epochs of the last two."""

    nets: tuple[FinalNet, ...]
    histories: dict[str, History]


def run(run: Run[BlockRemovalRecipe]) -> Outcome[FinallyTrained]:
    """Train both, and pair them with the baseline over all test examples."""
    nets = {BASELINE: baseline.load(run)}
    task = task_of(run, nets[BASELINE])
    histories, earlier_seconds = {}, 0.0
    for name, file in (
        (FULL, baseline.FILE),
        (PRUNED, block_search.keras_file(block_search.BUDGET)),
    ):
        nets[name] = load_net(run, file)
        trained = _train(run, name, nets[name], teacher=nets[BASELINE], task=task)
        histories[name] = trained.history
        earlier_seconds += trained.earlier_seconds
    found: dict[str, Evaluation] = {}
    with run.reporter.bar(len(nets), "nets") as advance:
        for name, net in nets.items():
            found[name] = evaluate(run, net)
            advance(len(found), name)
    run.workspace.save(FILE, nets[PRUNED].save)
    run.workspace.save_bytes(TFLITE, found[PRUNED].tflite)
    before, metric = found[BASELINE].answers, run.result(baseline.STAGE).metric
    rows = tuple(
        FinalNet(
            **vars(each.figures),
            name=name,
            against_baseline=PairedDifference.of(each.answers, before),
        )
        for name, each in found.items()
    )
    return Outcome(
        f"{metric.title}: {'  '.join(f'{r.name} {metric.show(r.score_keras)}' for r in rows)}",
        FinallyTrained(rows, histories),
        files=(FILE, TFLITE),
        earlier_seconds=earlier_seconds,
    )


def _train(
    run: Run[BlockRemovalRecipe],
    name: str,
    net: "keras.Model",
    *,
    teacher: "keras.Model",
    task: Task,
) -> "Trained":
    """Train a net in place, with the outputs of the teacher if the recipe says so."""
    import tfelastic as te
    from pipelines.stages.training import recalibrate, train

    spec = run.recipe.block_removal.final_training
    student = te.Student(net, teacher if spec.distillation else None)
    trained = train(run, student, run.training_split, training=spec, task=task, name=name)
    recalibrate(net, spec, run.training_split, seed=run.recipe.seed)
    return trained


STAGE = Stage(
    "final_training",
    run,
    FinallyTrained,
    keys=(*KEYS, "precision", "distribution", "block_removal.final_training"),
    stages=(data.STAGE, baseline.STAGE, block_search.STAGES[block_search.BUDGET]),
    packages=("tensorflow", "ai_edge_litert"),
    trains=True,
)
