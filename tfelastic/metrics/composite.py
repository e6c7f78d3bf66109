"""Metrics made of others: a function of the user's, a Keras metric, and a weighted sum over several outputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from tfelastic.errors import DataError
from tfelastic.metrics.base import Metric
from tfelastic.metrics.labels import as_outputs, as_same_shape

_KERAS_BATCH = 1024


@dataclass(frozen=True)
class FunctionMetric(Metric):
    """A function `score(y_true, y_pred)` that returns one number for all examples together.

    It gets arrays `[N, ...]`, nested as the model's outputs are, of as many labels as outputs.

    Attributes:
        function: The function.
        name: What the score is called.
        higher_is_better: Whether a higher value is better.
    """

    function: Callable[[Any, Any], Any]
    name: str
    higher_is_better: bool = True

    def value(self, y_true: Any, y_pred: Any) -> float:
        """Return the function's value.

        Raises:
            DataError: There are not as many labels as outputs, or the function returns something else than one number.
        """
        _check_counts(y_true, y_pred)
        value = np.asarray(self.function(y_true, y_pred))
        if value.size != 1 or value.dtype.kind not in "fiub":
            raise DataError(
                f"the metric {self.name!r} must return one number for all examples, it returned an array of shape "
                f"{list(value.shape)}; average it"
            )
        return float(value.reshape(()))


@dataclass(frozen=True)
class KerasMetric(Metric):
    """A Keras metric, reset before every use.

    Attributes:
        metric: The metric.
        name: What the score is called.
        higher_is_better: Whether a higher value is better.
    """

    metric: keras.Metric = field(compare=False)
    name: str
    higher_is_better: bool = True

    def value(self, y_true: Any, y_pred: Any) -> float:
        """Return the metric's result over all examples.

        Raises:
            DataError: Labels are neither of the outputs' shape nor classes `[N, ...]` for outputs `[N, ..., C]`.
        """
        outputs = as_outputs(y_pred)
        labels = np.asarray(y_true)
        positions = outputs.shape[:-1]
        if not (self._takes_classes and labels.shape in (positions, (*positions, 1))):
            # Keras would broadcast labels [N, 1] against outputs [N, C].
            labels = as_same_shape(labels, outputs)
        self.metric.reset_state()
        for start in range(0, len(outputs), _KERAS_BATCH):
            part = slice(start, start + _KERAS_BATCH)
            self.metric.update_state(labels[part], outputs[part])
        result = float(keras.ops.convert_to_numpy(self.metric.result()))
        self.metric.reset_state()
        return result

    @property
    def is_share(self) -> bool:  # type: ignore[override]
        """Whether it is one of Keras' own metrics of which 1 is the best value: an accuracy, AUC, recall, IoU, ..."""
        own = type(self.metric).__module__.startswith("keras.")
        return own and getattr(self.metric, "_direction", None) == "up"

    @property
    def _takes_classes(self) -> bool:
        sparse = type(self.metric).__name__.startswith("Sparse")
        return sparse or isinstance(self.metric, keras.metrics.IoU)


@dataclass(frozen=True)
class OutputMetric:
    """One output's part in a weighted sum.

    Attributes:
        metric: The output's metric.
        weight: What its signed value is multiplied by; positive.
    """

    metric: Metric
    weight: float

    def __post_init__(self) -> None:
        if not 0 < self.weight < float("inf"):
            raise DataError(
                f"the weight of the metric {self.metric.name!r} must be positive and finite, received {self.weight}"
            )


@dataclass(frozen=True)
class WeightedSum(Metric):
    """The weighted sum of metrics, one per output; outputs that are not named do not count.

    Where all metrics have one direction, so has the sum. Otherwise those of which lower is better are subtracted, and
    higher is better.

    Attributes:
        outputs: The metric and weight of each output that counts, by the output's name, in the model's order.
        output_names: The names of all outputs in the model's order, for outputs and labels that come as a list.
        name: What the score is called.

    Examples:
        >>> import numpy as np, tfelastic as te
        >>> metric = te.metrics.WeightedSum(
        ...     {"kind": te.metrics.OutputMetric(te.metrics.ClassAccuracy(), 1.0),
        ...      "size": te.metrics.OutputMetric(te.metrics.MeanAbsoluteError(), 0.1)},
        ...     output_names=("kind", "size"))
        >>> labels = {"kind": np.array([0, 1]), "size": np.array([3.0, 5.0])}
        >>> outputs = {"kind": np.eye(2), "size": np.array([[4.0], [6.0]])}
        >>> metric(labels, outputs).value
        0.9
    """

    outputs: Mapping[str, OutputMetric]
    output_names: tuple[str, ...]
    name: str = "weighted_sum"

    def __post_init__(self) -> None:
        if not self.outputs or not set(self.outputs) <= set(self.output_names):
            raise DataError(
                f"a weighted sum needs metrics for some of the outputs {list(self.output_names)}, received metrics "
                f"for {list(self.outputs)}"
            )

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]
        """Whether a higher sum is better."""
        return any(each.metric.higher_is_better for each in self.outputs.values())

    @property
    def is_share(self) -> bool:  # type: ignore[override]
        """Whether all parts are shares; their weights are then the unit."""
        return all(each.metric.is_share for each in self.outputs.values())

    def unit(self, y_true: Any, y_pred: Any) -> float:
        """Return the weighted sum of the parts' units."""
        labels, outputs = self._by_name(y_true, "labels"), self._by_name(y_pred, "outputs")
        return sum(
            each.weight * self._scored(name, each.metric.unit, labels, outputs)
            for name, each in self.outputs.items()
        )

    def value(self, y_true: Any, y_pred: Any) -> float:
        """Return the sum."""
        labels, outputs = self._by_name(y_true, "labels"), self._by_name(y_pred, "outputs")
        return sum(
            self._factor(each) * self._scored(name, each.metric.value, labels, outputs)
            for name, each in self.outputs.items()
        )

    def per_example(self, y_true: Any, y_pred: Any) -> np.ndarray | None:
        """Return the sum of each example's own values; `None` where an output has none."""
        labels, outputs = self._by_name(y_true, "labels"), self._by_name(y_pred, "outputs")
        total: Any = 0.0
        for name, each in self.outputs.items():
            found = self._scored(name, each.metric.per_example, labels, outputs)
            if found is None:
                return None
            total = total + self._factor(each) * found
        return np.asarray(total)

    def agreement(self, first: Any, second: Any) -> float | None:
        """Return the least agreement of an output that has decisions."""
        pair = self._by_name(first, "outputs"), self._by_name(second, "outputs")
        found = [
            self._scored(name, each.metric.agreement, *pair) for name, each in self.outputs.items()
        ]
        return min((value for value in found if value is not None), default=None)

    def _factor(self, part: OutputMetric) -> float:
        return (
            part.weight if part.metric.higher_is_better == self.higher_is_better else -part.weight
        )

    def _scored(
        self, name: str, score: Callable[[Any, Any], Any], labels: Any, outputs: Any
    ) -> Any:
        try:
            return score(labels[name], outputs[name])
        except DataError as cause:
            raise DataError(f"output {name!r}: {cause}") from cause

    def _by_name(self, values: Any, what: str) -> dict[str, Any]:
        if isinstance(values, list | tuple) and len(values) == len(self.output_names):
            return dict(zip(self.output_names, values, strict=True))
        if isinstance(values, Mapping) and set(self.outputs) <= set(values):
            return dict(values)
        received = list(values) if isinstance(values, Mapping) else type(values).__name__
        raise DataError(
            f"the metric needs {what} for the outputs {list(self.outputs)}, as a dict by name or as a list of "
            f"{len(self.output_names)} in the order {list(self.output_names)}; received {received}"
        )


def _check_counts(y_true: Any, y_pred: Any) -> None:
    counts = [{len(each) for each in keras.tree.flatten(values)} for values in (y_true, y_pred)]
    if counts[0] != counts[1] or len(counts[0]) != 1:
        raise DataError(
            f"every example needs its labels and its outputs, received {sorted(counts[0])} labels and "
            f"{sorted(counts[1])} outputs"
        )
