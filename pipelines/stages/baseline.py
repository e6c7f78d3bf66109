"""Build the recipe's model and train it by itself: what all that follows is measured against."""

import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import StageError
from pipelines.recipe import Recipe
from pipelines.records import Record
from pipelines.stages import data
from pipelines.stages.evaluation import accuracy
from pipelines.stages.history import History
from pipelines.stages.nets import load_net
from pipelines.stages.run import Run
from pipelines.stages.stage import Outcome, Stage

if typing.TYPE_CHECKING:
    import keras

FILE = "baseline.keras"

#: The recipe's keys that `build` reads.
BUILD_KEYS = ("seed", "model")


@dataclass(frozen=True)
class TrainedBaseline(Record):
    """The stand-alone net: its accuracy on the test images, its costs and its epochs."""

    accuracy: float
    params: int
    macs: int
    history: History


def run(run: Run[Recipe]) -> Outcome[TrainedBaseline]:
    """Train the stand-alone model, or take it as it stands where the recipe says so."""
    import tfelastic as te

    test, model, training = run.dataset.test, build(run), run.recipe.baseline
    history: History = ()
    earlier_seconds = 0.0
    if training != "none":
        from pipelines.stages.training import recalibrate, train

        trained = train(run, model, run.training_split, training=training)
        recalibrate(model, training, run.training_split, seed=run.recipe.seed)
        history, earlier_seconds = trained.history, trained.earlier_seconds
    run.workspace.save(FILE, model.save)
    reached, cost = accuracy(model, test), te.cost(model)
    if remark := chance_remark(reached, test.labels):
        run.reporter.say(f"warning: {remark}")
    return Outcome(
        f"{model.name}: {100 * reached:.2f} % on {len(test):,} test images",
        TrainedBaseline(reached, cost.params, cost.macs, history),
        files=(FILE,),
        earlier_seconds=earlier_seconds,
    )


def chance_remark(reached: float, labels: np.ndarray) -> str | None:
    """Return a warning where an accuracy may be chance: within two standard errors of the commonest class's share.

    Example:
        >>> labels = np.array([0] * 60 + [1] * 40)
        >>> chance_remark(0.62, labels)
        'the baseline is right on 62.0 % of the test images, and always answering the commonest class on 60.0 %: ...
        >>> chance_remark(0.95, labels) is None
        True
    """
    share = np.bincount(labels).max() / len(labels)
    error = math.sqrt(share * (1 - share) / len(labels))
    if reached > share + 2 * error:
        return None
    return (
        f"the baseline is right on {reached:.1%} of the test images, and always answering the commonest class on "
        f"{share:.1%}: it may have learned nothing, and all that follows builds on it. Check that the model takes raw "
        "pixels and that labels match; then try more epochs or another learning rate"
    ).replace("%", " %")


def build(run: Run[Any]) -> "keras.Model":
    """Return the recipe's untrained model, checked against the data.

    Raises:
        StageError: Its input or its output does not fit the images or the labels.
        DataError: The pretrained weights are missing or fit another net.
    """
    import keras

    import tfelastic as te

    spec, dataset, seed = run.recipe.model, run.dataset, run.recipe.seed
    classes = len(dataset.classes)
    image_shape = dataset.train.images.shape[1:]
    keras.utils.set_random_seed(seed)
    if spec.is_file:
        if not Path(spec.name).exists():
            raise StageError(
                f"there is no model file {spec.name}; correct model.name in the recipe"
            )
        model = keras.saving.load_model(spec.name, compile=False)
    else:
        options = {"classes": classes, "seed": seed, **spec.options}
        model = te.zoo.build(spec.name, input_shape=image_shape, **options)
    if spec.weights is not None:
        te.zoo.load_resnet_cifar(model, spec.weights)
    _require_fit(model, image_shape, classes, dataset.name)
    return model


def model_files(recipe: Recipe) -> Mapping[str, Path]:
    """Return the files that the model comes from."""
    spec = recipe.model
    files = {"model.name": Path(spec.name)} if spec.is_file else {}
    return {**files, "model.weights": Path(spec.weights)} if spec.weights else files


def load(run: Run[Any]) -> "keras.Model":
    """Return the trained baseline."""
    return load_net(run, FILE)


def _require_fit(
    model: "keras.Model", image_shape: tuple[int, ...], classes: int, data: str
) -> None:
    takes, gives = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
    if takes != tuple(image_shape):
        raise StageError(
            f"the model {model.name!r} takes images of shape {takes}, and {data} has images of "
            f"{image_shape}; set data.image_size, or choose another model"
        )
    if gives != (classes,):
        raise StageError(
            f"the model {model.name!r} gives outputs of shape {gives}, and {data} has {classes} "
            f"classes, so it must give ({classes},)"
        )
    activation = getattr(model.layers[-1], "activation", None)
    if getattr(activation, "__name__", "") == "softmax":
        raise StageError(
            f"the model {model.name!r} ends in a softmax, and a run trains and ships logits; "
            f"give its last layer ({model.layers[-1].name!r}) no activation"
        )


STAGE = Stage(
    "baseline",
    run,
    TrainedBaseline,
    keys=(*BUILD_KEYS, "baseline", "precision", "validation_images"),
    stages=(data.STAGE,),
    files=model_files,
    packages=("tensorflow",),
)
