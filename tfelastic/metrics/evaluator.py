"""`Evaluator`: scores models on labelled examples."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from tfelastic.errors import DataError
from tfelastic.metrics.base import AdditiveMetric, Metric
from tfelastic.metrics.choice import MetricLike, metric_of
from tfelastic.metrics.score import Score

#: Applies a function to items, wherever that is, and yields each item's number with its result as they come.
Spread = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[tuple[int, Any]]]

#: How many examples are scored at a time, so that arrays larger than the memory can be memory-mapped.
PART_SIZE = 1024


def in_process(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    """Apply a function to items one after the other, in this process; a `Spread`."""
    return ((number, function(item)) for number, item in enumerate(items))


class Evaluator:
    """Scores models on the same labelled examples.

    Args:
        inputs: What the models take, `[N, ...]`, or a list or dict of such arrays; read slice by slice, so a
            memory-mapped array may be larger than the memory.
        labels: The labels of the `N` examples, `[N, ...]`; for several outputs nested as they are.
        metric: What `tfelastic.metric_of` takes; by default the metric that it chooses for each model.
        batch_size: How many examples a layer takes at once; bounds the memory.
        progress: Called as `progress(seen, count)` after each part of the examples.
        spread: Where a block search scores the parts of the examples: one after the other in this process, or as a
            function does that is called with a function and items, and yields each item's number with its result
            as they come. Wherever that is, the scores are the same.

    Raises:
        DataError: The counts differ or are zero, or the batch size is not positive.

    Examples:
        >>> import keras, numpy as np, tfelastic as te
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Softmax()])
        >>> evaluator = te.Evaluator(np.array([[1.0, 0.0], [3.0, 2.0]]), np.array([0, 1]))
        >>> print(evaluator.score(model))
        accuracy 0.5
    """

    def __init__(
        self,
        inputs: Any,
        labels: Any,
        *,
        metric: MetricLike | None = None,
        batch_size: int = 256,
        progress: Callable[[int, int], None] | None = None,
        spread: Spread = in_process,
    ) -> None:
        inputs, labels = _as_arrays(inputs), _as_arrays(labels)
        counts = {len(each) for each in keras.tree.flatten(inputs)}
        label_counts = {len(each) for each in keras.tree.flatten(labels)}
        if counts != label_counts or len(counts) != 1 or 0 in counts:
            raise DataError(
                "a score needs at least one example, and as many inputs as labels, received "
                f"{sorted(counts)} and {sorted(label_counts)}"
            )
        if batch_size < 1:
            raise DataError(f"batch_size must be positive, received {batch_size}")
        (self._count,) = counts
        self._inputs, self._labels = inputs, labels
        self._metric = metric
        self._progress = progress
        self.batch_size = batch_size
        self.spread = spread

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to where the examples are scored."""
        return {**vars(self), "spread": in_process, "_progress": None}

    def __len__(self) -> int:
        return self._count

    def score(self, model: keras.Model) -> Score:
        """Return the score of `model`.

        Raises:
            DataError: Outputs and labels do not fit each other or the metric.
        """
        metric = self.metric_of(model)
        if isinstance(metric, AdditiveMetric):
            parts = (metric.sums(*part) for part in self.parts(model, batch_size=self.batch_size))
            return metric.score_of(sum(parts, start=np.zeros(())))
        labels, outputs = zip(*self.parts(model, batch_size=self.batch_size), strict=True)
        return metric(_joined(labels), _joined(outputs))

    def metric_of(self, model: keras.Model) -> Metric:
        """Return the metric that `model` is scored by."""
        return metric_of(model, self._metric, labels=self._labels)

    def resolved(self, model: keras.Model) -> "Evaluator":
        """Return an evaluator that scores any model by the metric of `model`, such as pruned ones by the original's."""
        return Evaluator(
            self._inputs,
            self._labels,
            metric=self.metric_of(model),
            batch_size=self.batch_size,
            progress=self._progress,
            spread=self.spread,
        )

    def parts(self, model: keras.Model, *, batch_size: int) -> Iterator[tuple[Any, Any]]:
        """Yield labels and a model's outputs for all examples, up to `PART_SIZE` at a time."""
        for start in range(0, len(self), PART_SIZE):
            yield self.part(model, start, size=PART_SIZE, batch_size=batch_size)
            self.report_progress(min(start + PART_SIZE, len(self)))

    def report_progress(self, seen: int) -> None:
        """Report that so many examples are scored, where `progress` was given."""
        if self._progress is not None:
            self._progress(seen, len(self))

    def part(self, model: keras.Model, start: int, *, size: int, batch_size: int) -> Any:
        """Return labels and a model's outputs for up to `size` examples from `start` on."""
        inputs, labels = (
            keras.tree.map_structure(lambda array: np.asarray(array[start : start + size]), nested)
            for nested in (self._inputs, self._labels)
        )
        return labels, model.predict(inputs, batch_size=batch_size, verbose=0)


class Accuracy(Evaluator):
    """The share of examples whose class is right: for class scores the largest, for one unit by its threshold.

    A block search asks for all nets without one block at once, which costs about half as much as one after the other
    (see `tfelastic.block_search.leave_one_out`).

    Args:
        inputs: What the models take, `[N, ...]`, or a list or dict of such arrays.
        labels: Classes `[N]` or `[N, 1]`, one-hot rows `[N, C]`, or 0 and 1 for each of several labels `[N, labels]`.
        batch_size: How many examples a layer takes at once; bounds the memory.

    Raises:
        DataError: The counts differ or are zero, or the batch size is not positive.

    Examples:
        >>> import keras, numpy as np, tfelastic as te
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Softmax()])
        >>> te.Accuracy(np.array([[1.0, 0.0], [3.0, 2.0]]), np.array([0, 1]))(model)
        0.5
    """

    def __init__(self, inputs: Any, labels: Any, *, batch_size: int = 256) -> None:
        super().__init__(inputs, labels, metric="accuracy", batch_size=batch_size)

    def __call__(self, model: keras.Model) -> float:
        """Return the accuracy of `model`, 0 to 1; for several outputs their mean.

        Raises:
            DataError: Outputs and labels do not fit each other.
        """
        return self.score(model).value


def score_of(
    model: keras.Model, inputs: Any, labels: Any, *, metric: MetricLike | None = None
) -> Score:
    """Return the score of a model on labelled examples; takes and raises what `Evaluator` does.

    Examples:
        >>> import keras, numpy as np, tfelastic as te
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Identity()])
        >>> print(te.score_of(model, np.array([[1.0], [3.0]]), np.array([2.0, 3.0]), metric="mae"))
        mae 0.5 (lower is better)
    """
    return Evaluator(inputs, labels, metric=metric).score(model)


def _as_arrays(values: Any) -> Any:
    """Return plain numbers in lists as an array, and arrays nested in any way as they are."""
    nested = isinstance(values, list | tuple) and any(hasattr(each, "shape") for each in values)
    return (
        values
        if nested or isinstance(values, Mapping) or hasattr(values, "shape")
        else np.asarray(values)
    )


def _joined(parts: Any) -> Any:
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
