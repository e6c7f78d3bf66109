"""Recalibration: BatchNorm statistics measured anew, since running averages lag behind the weights."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfelastic.errors import TrainingError
from tfelastic.graph import trace


def recalibrate(
    model: keras.Model,
    images: np.ndarray,
    *,
    batch_size: int = 128,
    statistics: Sequence[keras.Variable] | None = None,
) -> None:
    """Set every BatchNorm's running mean and variance to their averages over batches of `images`.

    Source: Yu and Huang, Universally Slimmable Networks, arXiv 1903.05134, section 3.3.

    A model with a `recalibrate` of its own, such as an `ElasticModel`, does it for all of its parts.

    Args:
        model: The model; its statistics are changed, nothing else.
        images: What the model takes, `[count, height, width, channels]`; a few hundred are enough. They
            should be augmented as in training: a model trained on shifted images lost 3.7 points to statistics
            of unshifted ones (`benchmarks/recalibration.py`). Images beyond whole batches are left out.
        batch_size: How many images a batch holds; cut to `count` where that is less.
        statistics: The running statistics; found by tracing `model` where left out.

    Raises:
        TrainingError: There are no images.
    """
    if len(images) == 0:
        raise TrainingError("recalibration needs at least one image, received none")
    if statistics is None and hasattr(model, "recalibrate"):
        model.recalibrate(images, batch_size=batch_size)
        return
    if statistics is None:
        bindings = list(trace(model).bindings)
        statistics = [binding.variable for binding in bindings if binding.role == "statistic"]
    if not statistics:
        return
    batch_size = min(batch_size, len(images))
    whole = images[: len(images) // batch_size * batch_size]
    # A running statistic moves as new = momentum * old + (1 - momentum) * batch, so starting from 0 and from 1
    # gives the momentum, and from 0 the batch's own statistic: no layer need be known.
    low = _Updates(model, statistics, 0.0).predict(whole, batch_size=batch_size, verbose=0)
    high = _Updates(model, statistics, 1.0).predict(
        whole[:batch_size], batch_size=batch_size, verbose=0
    )
    for variable, zero, one in zip(statistics, low, high, strict=True):
        momentum = float(np.mean(one[0] - zero[0]))
        if momentum < 1:
            variable.assign(np.mean(zero, axis=0, dtype=np.float64) / (1 - momentum))


class _Updates(keras.Model):
    """Returns what the statistics become after a training step on one batch, when they start from `start`."""

    def __init__(
        self, model: keras.Model, statistics: Sequence[keras.Variable], start: float
    ) -> None:
        super().__init__(name="batch_statistics")
        self.model = model
        self._statistics = [id(variable) for variable in statistics]
        self._start = start

    def call(self, inputs: Any, training: bool = False) -> list[Any]:
        del training
        state = [
            keras.ops.full(v.shape, self._start, dtype=v.dtype)
            if id(v) in self._statistics
            else v.value
            for v in self.model.non_trainable_variables
        ]
        trained = [variable.value for variable in self.model.trainable_variables]
        _, updates = self.model.stateless_call(trained, state, inputs, training=True)
        after = dict(zip(map(id, self.model.non_trainable_variables), updates, strict=True))
        return [keras.ops.expand_dims(after[key], 0) for key in self._statistics]
