"""Build the recipe's model and train it by itself: what all that follows is measured against."""

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import StageError
from pipelines.recipe import Recipe
from pipelines.records import Record
from pipelines.stages import data
from pipelines.stages.answers import answers_of
from pipelines.stages.chance import chance_remark
from pipelines.stages.compatibility import require_inputs, require_output, with_known_sizes
from pipelines.stages.history import History, early_stop
from pipelines.stages.metric import MetricDescription
from pipelines.stages.nets import load_net
from pipelines.stages.run import Run
from pipelines.stages.stage import Outcome, Stage
from pipelines.stages.task import outputs_of, task_of, tasks_of, units_of

if typing.TYPE_CHECKING:
    import keras

    from pipelines.stages.task import Task
    from tfelastic.data import Split

FILE = "baseline.keras"

#: The recipe's keys that `build` reads.
BUILD_KEYS = ("seed", "model", "task")


@dataclass(frozen=True)
class TrainedBaseline(Record):
    """The stand-alone net: its score on the test examples, what scores it and all other nets, its costs and epochs."""

    score: float
    metric: MetricDescription
    params: int
    macs: int
    history: History


def run(run: Run[Recipe]) -> Outcome[TrainedBaseline]:
    """Train the stand-alone model, or take it as it stands where the recipe says so."""
    import tfelastic as te

    test, model, training = run.dataset.test, build(run), run.recipe.baseline
    task = task_of(run, model)
    history: History = ()
    earlier_seconds, stopped = 0.0, ""
    if training != "none":
        from pipelines.stages.training import recalibrate, train

        trained = train(run, model, run.training_split, training=training, task=task)
        recalibrate(model, training, run.training_split, seed=run.recipe.seed)
        history, earlier_seconds = trained.history, trained.earlier_seconds
        stopped = early_stop(history, training)
    run.workspace.save(FILE, model.save)
    answers, cost = answers_of(model, test, task.metric), te.cost(model)
    if remark := chance_remark(answers, test, task):
        run.reporter.say(f"warning: {remark}")
    if training == "none" and (hint := _scaling_hint(model, test, task)):
        run.reporter.say(f"warning: {hint}")
    metric = MetricDescription.of(task.metric)
    reached = (
        f"{model.name}: {metric.title} {metric.show(answers.score)} on {len(test):,} test examples"
    )
    return Outcome(
        "; ".join(filter(None, (reached, stopped))),
        TrainedBaseline(answers.score, metric, cost.params, cost.macs, history),
        files=(FILE,),
        earlier_seconds=earlier_seconds,
    )


def _scaling_hint(model: "keras.Model", test: "Split", task: "Task") -> str:
    """Return a hint where a model that is taken as it stands was trained on images scaled outside of it."""
    import keras

    if keras.backend.backend() != "tensorflow":  # The exporter, which knows, needs it.
        return ""
    import tflite_export as tx

    try:
        return tx.scaling_hint(model, test.inputs, test.targets, task.metric)
    except tx.VerificationError:  # Such examples are none that an export could verify, either.
        return ""


def build(run: Run[Any]) -> "keras.Model":
    """Return the recipe's untrained model, checked against the data and the task.

    Raises:
        StageError: Its inputs or outputs do not fit the examples, or their targets do not fit the task.
        DataError: The pretrained weights are missing or fit another net.
    """
    import keras

    import tfelastic as te

    spec, dataset, seed = run.recipe.model, run.dataset, run.recipe.seed
    keras.utils.set_random_seed(seed)
    if spec.is_file:
        if not Path(spec.name).exists():
            raise StageError(
                f"there is no model file {spec.name}; correct model.name in the recipe"
            )
        model = with_known_sizes(keras.saving.load_model(spec.name, compile=False), dataset)
    else:
        units = units_of(dataset, tasks_of(run.recipe.task, dataset))
        shapes = {
            name: array.shape[1:] for name, array in te.data.arrays_of(dataset.train.inputs).items()
        }
        options = {"classes": units, "seed": seed, **spec.options}
        model = te.zoo.build(spec.name, input_shape=shapes.get("", shapes), **options)
    if spec.weights is not None:
        te.zoo.load_resnet_cifar(model, spec.weights)
    outputs = outputs_of(model, dataset, run.recipe.task)
    require_inputs(model, dataset)
    for output in outputs:
        require_output(model, output, dataset)
    return model


def model_files(recipe: Recipe) -> Mapping[str, Path]:
    """Return the files that the model comes from."""
    spec = recipe.model
    files = {"model.name": Path(spec.name)} if spec.is_file else {}
    return {**files, "model.weights": Path(spec.weights)} if spec.weights else files


def load(run: Run[Any]) -> "keras.Model":
    """Return the trained baseline."""
    return load_net(run, FILE)


STAGE = Stage(
    "baseline",
    run,
    TrainedBaseline,
    keys=(*BUILD_KEYS, "metric", "baseline", "precision", "distribution", "validation_images"),
    stages=(data.STAGE,),
    files=model_files,
    packages=("tensorflow",),
    trains=True,
)
