"""What a finished net is compared by: its costs, and its accuracy on the test images in Keras and after conversion."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.records import Record
from pipelines.stages.run import Run

if TYPE_CHECKING:
    import keras

    from tfelastic.data import Split

#: The recipe's keys that `evaluate` reads.
KEYS = ("seed", "export", "validation_images")


@dataclass(frozen=True, kw_only=True)
class NetFigures(Record):
    """A net's costs, and its accuracies on the test images."""

    params: int
    macs: int
    peak_bytes: int
    tflite_bytes: int
    accuracy_keras: float
    accuracy_tflite: float


@dataclass(frozen=True)
class Evaluation:
    """What evaluating a net gave: figures, which test images it classifies correctly, bool `[images]`, its file."""

    figures: NetFigures
    correct: np.ndarray
    tflite: bytes


def evaluate(run: Run[Any], net: "keras.Model") -> Evaluation:
    """Count, convert and test a net."""
    import tfelastic as te
    import tflite_export as tx

    spec, test, seed = run.recipe.export, run.dataset.test, run.recipe.seed
    samples = some_images(run.training_split.images, spec.calibration, seed=seed)
    tflite = tx.convert(net, scheme=spec.scheme, samples=samples, seed=seed)
    correct, cost = correct_on(net, test), te.cost(net)
    converted = tx.predict(tflite, test.images).argmax(axis=1) == test.labels
    figures = NetFigures(
        params=cost.params,
        macs=cost.macs,
        peak_bytes=cost.peak_bytes,
        tflite_bytes=len(tflite),
        accuracy_keras=float(correct.mean()),
        accuracy_tflite=float(converted.mean()),
    )
    return Evaluation(figures, correct, tflite)


def some_images(images: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Return up to `count` images, drawn at random by the seed."""
    order = np.random.default_rng(seed).permutation(len(images))
    return images[order[:count]]


def accuracy(model: "keras.Model", split: "Split") -> float:
    """Return the share of a split's images, 0 to 1, whose largest logit is their label's."""
    return float(correct_on(model, split).mean())


def correct_on(model: "keras.Model", split: "Split", *, batch_size: int = 256) -> np.ndarray:
    """Return for each image of a split whether its largest logit is its label's, bool `[images]`."""
    import keras

    found = []
    for start in range(0, len(split), batch_size):
        images = split.images[start : start + batch_size].astype("float32")
        logits = keras.ops.convert_to_numpy(model(images, training=False))
        found.append(logits.argmax(axis=-1) == split.labels[start : start + batch_size])
    return np.concatenate(found)
