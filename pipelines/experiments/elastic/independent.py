"""Train each rung's net independently, for as many epochs: what sharing the weights is measured against."""

from functools import partial

from pipelines.experiments.elastic import ladder
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.experiments.elastic.training_results import TrainedIndependently, summary
from pipelines.stages import Outcome, Run, Stage, baseline, data
from pipelines.stages.evaluation import score
from pipelines.stages.nets import load_net
from pipelines.stages.task import TASK_KEYS, task_of


def run(run: Run[ElasticRecipe]) -> Outcome[TrainedIndependently]:
    """Cut each rung out of the baseline and train it on the labels, those first that an earlier try has not."""
    import tfelastic as te
    from pipelines.stages.training import train_each

    dataset, rungs = run.dataset, ladder.planned(run)
    model = baseline.load(run)
    task = task_of(run, model)
    histories, earlier_seconds = train_each(
        run,
        {rung.name: partial(te.prune, model, rung.plan) for rung in rungs.rungs},
        training=run.recipe.elastic,
        task=task,
        split=run.training_split,
        keras_file=keras_file,
    )
    reached = {
        name: score(load_net(run, keras_file(name)), dataset.test, task.metric)
        for name in rungs.names
    }
    return Outcome(
        summary(reached, task.metric),
        TrainedIndependently(reached, histories),
        files=tuple(keras_file(name) for name in rungs.names),
        earlier_seconds=earlier_seconds,
    )


def keras_file(name: str) -> str:
    """Return the name of a rung's own net in the workspace."""
    return f"independent/{name}.keras"


STAGE = Stage(
    "independent",
    run,
    TrainedIndependently,
    keys=("seed", "precision", "distribution", "elastic", "validation_images", *TASK_KEYS),
    stages=(data.STAGE, baseline.STAGE, ladder.STAGE),
    packages=("tensorflow",),
    trains=True,
)
