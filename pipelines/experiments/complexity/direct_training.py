"""Train the nets that complexity pruned, once and from scratch."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pipelines.experiments.complexity import plans
from pipelines.experiments.complexity.recipe import ComplexityRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage, baseline, data
from pipelines.stages.history import History, training_seconds
from pipelines.stages.task import task_of

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class TrainedNets(Record):
    """The epochs of each net."""

    histories: dict[str, History]


def run(run: Run[ComplexityRecipe]) -> Outcome[TrainedNets]:
    """Prune, reinitialize and train, those first that an earlier try has not."""
    import tfelastic as te
    from pipelines.stages.training import train_each

    original = baseline.build(run)
    task = task_of(run, original)
    traces = run.read_json(plans.FILE)

    def pruned(name: str) -> "keras.Model":
        plan = te.PruningTrace.from_json(traces[name]).plan
        return te.reinitialize(te.prune(original, plan), seed=run.recipe.seed)

    histories, earlier_seconds = train_each(
        run,
        {name: partial(pruned, name) for name in traces},
        training=run.recipe.baseline,
        task=task,
        split=run.training_split,
        keras_file=keras_file,
    )
    return Outcome(
        summary(histories),
        TrainedNets(histories),
        files=tuple(keras_file(name) for name in histories),
        earlier_seconds=earlier_seconds,
    )


def summary(histories: dict[str, History]) -> str:
    """Return how long each training took, in one line."""
    return "  ".join(f"{name} {training_seconds(each):.0f} s" for name, each in histories.items())


def keras_file(name: str) -> str:
    """Return the name of a pruned net in the workspace."""
    return f"pruned/{name}.keras"


STAGE = Stage(
    "direct_training",
    run,
    TrainedNets,
    keys=(
        *baseline.BUILD_KEYS,
        "metric",
        "baseline",
        "precision",
        "distribution",
        "validation_images",
    ),
    stages=(data.STAGE, plans.STAGE),
    files=baseline.model_files,
    packages=("tensorflow",),
    trains=True,
)
