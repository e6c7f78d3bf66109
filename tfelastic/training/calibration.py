"""Recalibration: BatchNorm statistics measured anew, since running averages lag behind the weights."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfelastic.errors import TrainingError
from tfelastic.graph import trace


def recalibrate(
    model: keras.Model,
    data: Any,
    *,
    batch_size: int = 128,
    statistics: Sequence[keras.Variable] | None = None,
) -> None:
    """Set every BatchNorm's running mean and variance to their averages over batches of `data`.

    Source: Yu and Huang, Universally Slimmable Networks, arXiv 1903.05134, section 3.3.

    A model with a `recalibrate` of its own, such as an `ElasticModel`, does it for all of its parts. A BatchNorm
    that was frozen (`layer.trainable = False`) keeps its statistics.

    Args:
        model: The model; its statistics are changed, nothing else.
        data: What the model takes: an array `[count, ...]`, or a list or dict of arrays for several inputs; or
            batches, a `tf.data.Dataset` or `keras.utils.PyDataset`, whose labels are left out. A few hundred samples
            are enough. They should be augmented as in training: a model trained on shifted images lost 3.7 points
            to statistics of unshifted ones (`benchmarks/recalibration.py`). A last batch that is smaller than the
            first is left out.
        batch_size: How many samples of an array a batch holds; cut to `count` where that is less.
        statistics: The running statistics; found by tracing `model` where left out.

    Raises:
        TrainingError: There are no samples, or the data are no finite set that can be read more than once.
    """
    batches = _Batches(data, batch_size)
    if statistics is None and hasattr(model, "recalibrate"):
        model.recalibrate(data, batch_size=batch_size)
        return
    if statistics is None:
        statistics = [b.variable for b in trace(model).bindings if b.role == "statistic"]
    if not statistics:
        return
    # Copies, for JAX gives the memory of a step's variables away, and no two of them may share it.
    present = [np.array(ops.convert_to_numpy(variable)) for variable in statistics]
    updates = _Updates(model, statistics, present)
    momenta = _momenta(updates, present, next(iter(batches)))
    if min(momenta) >= 1:
        return
    # Started from 0, a statistic becomes the batch's own times what its momentum leaves. One that does not move is
    # frozen, and must keep its value for what comes after it.
    updates.start_from(
        [
            old if momentum >= 1 else np.zeros_like(old)
            for old, momentum in zip(present, momenta, strict=True)
        ]
    )
    sums = [np.zeros(variable.shape) for variable in statistics]
    count = 0
    for batch in batches:
        count += 1
        for total, found in zip(sums, updates.predict_on_batch(batch), strict=True):
            total += found[0]
    for variable, total, momentum in zip(statistics, sums, momenta, strict=True):
        if momentum < 1:
            variable.assign(total / count / (1 - momentum))


def _momenta(updates: "_Updates", present: Sequence[np.ndarray], batch: Any) -> list[float]:
    """Return the share of its old value that each statistic keeps in a step; 1 where it does not move.

    A running statistic moves as new = momentum * old + (1 - momentum) * batch, so two starts give the momentum: no
    layer need be known.
    """
    once = updates.predict_on_batch(batch)
    # What does not move is frozen. It is left alone, for what comes after it is computed with it. The other starts
    # are moved by as much as the results are large, so that rounding does not hide the difference.
    shifts = [
        0.0 if np.array_equal(after[0], before) else max(1.0, float(np.abs(after).max()))
        for before, after in zip(present, once, strict=True)
    ]
    shifted = [before + shift for before, shift in zip(present, shifts, strict=True)]
    updates.start_from(shifted)
    again = updates.predict_on_batch(batch)
    return [
        float(np.mean((b - a) / (new - old))) if shift else 1.0
        for a, b, old, new, shift in zip(once, again, present, shifted, shifts, strict=True)
    ]


class _Batches:
    """Passes over data in batches of one size, labels left out, as often as it is iterated."""

    def __init__(self, data: Any, batch_size: int) -> None:
        if isinstance(data, Iterator):
            raise TrainingError(
                f"recalibration reads its data more than once, received a {type(data).__name__}; give arrays, a "
                "tf.data.Dataset or a keras.utils.PyDataset"
            )
        if hasattr(data, "cardinality") and int(data.cardinality()) == -1:
            raise TrainingError(
                "recalibration needs data that end, received an endless data set; give data.take(n)"
            )
        self._data, self._batch_size = data, batch_size
        if next(iter(self), None) is None:
            raise TrainingError("recalibration needs at least one sample, received none")

    def __iter__(self) -> Iterator[Any]:
        size = None
        for batch in self._all():
            length = len(keras.tree.flatten(batch)[0])
            size = size or length
            if length == size and length:
                yield batch

    def _all(self) -> Iterator[Any]:
        if isinstance(self._data, keras.utils.PyDataset):
            return (_inputs_of(self._data[index]) for index in range(len(self._data)))
        if hasattr(self._data, "element_spec"):
            return map(_inputs_of, self._data)
        return self._slices()

    def _slices(self) -> Iterator[Any]:
        count = len(keras.tree.flatten(self._data)[0])
        for start in range(0, count, self._batch_size):
            part = slice(start, start + self._batch_size)
            yield keras.tree.map_structure(lambda array, part=part: array[part], self._data)


def _inputs_of(batch: Any) -> Any:
    return keras.utils.unpack_x_y_sample_weight(batch)[0]


class _Updates(keras.Model):
    """Returns what the statistics become after a training step on one batch.

    Where they start from are variables, so that the step is traced once for all starts.
    """

    def __init__(
        self,
        model: keras.Model,
        statistics: Sequence[keras.Variable],
        starts: Sequence[np.ndarray],
    ) -> None:
        super().__init__(name="batch_statistics", autocast=False)
        self.model = model
        self._statistics = [id(variable) for variable in statistics]
        self._starts = [
            keras.Variable(start, dtype=variable.dtype, trainable=False, autocast=False)
            for variable, start in zip(statistics, starts, strict=True)
        ]

    def start_from(self, values: Sequence[np.ndarray]) -> None:
        """Let the statistics start from these values."""
        for start, value in zip(self._starts, values, strict=True):
            start.assign(value)

    def call(self, inputs: Any, training: bool = False) -> list[Any]:
        del training
        starts = dict(zip(self._statistics, self._starts, strict=True))
        state = [starts.get(id(v), v).value for v in self.model.non_trainable_variables]
        trained = [variable.value for variable in self.model.trainable_variables]
        _, updates = self.model.stateless_call(trained, state, inputs, training=True)
        after = dict(zip(map(id, self.model.non_trainable_variables), updates, strict=True))
        return [ops.expand_dims(after[key], 0) for key in self._statistics]
