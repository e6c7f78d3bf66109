"""`metric_of`: which metric a model is scored by: what is asked for, what its loss says, or what it ends in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import keras
import numpy as np

from tfelastic.errors import DataError, GraphError
from tfelastic.graph import LayerGraph, trace
from tfelastic.metrics.base import Metric
from tfelastic.metrics.classification import BinaryAccuracy, ClassAccuracy, MeanIoU
from tfelastic.metrics.composite import FunctionMetric, KerasMetric, OutputMetric, WeightedSum
from tfelastic.metrics.endings import Kind, kinds_of
from tfelastic.metrics.losses import BINARY, CLASSES, HINGE, REGRESSION, loss_names
from tfelastic.metrics.regression import R2, MeanAbsoluteError

#: A metric, its name, a Keras metric, a function `score(y_true, y_pred)`; or for each output one of them, or a pair of
#: one of them and its weight.
MetricLike: TypeAlias = Metric | str | keras.Metric | Callable[[Any, Any], Any] | Mapping[str, Any]

NAMES = ("accuracy", "binary_accuracy", "pixel_accuracy", "mean_iou", "mae", "r2")
"""The metrics that have a name here; any other name is looked up among Keras' metrics."""

# Above which value one unit means class 1.
_THRESHOLDS: dict[Kind, float] = {"fraction": 0.5, "scores": 0.0, "signed": 0.0}


def metric_of(
    model: keras.Model,
    metric: MetricLike | None = None,
    *,
    labels: Any = None,
    higher_is_better: bool | None = None,
) -> Metric:
    """Return the metric that a model's outputs are scored by.

    Where none is asked for, the compiled loss decides, and without one what the model ends in:

    | the output is | metric |
    |---|---|
    | class scores `[N, C]`, or one unit of a binary loss or a sigmoid | `accuracy` |
    | several units of a binary loss or a sigmoid | `binary_accuracy` (several labels at once) |
    | class scores or a mask per pixel, `[N, height, width, C]` | `mean_iou` |
    | values of a regression loss | `mae` |

    A unit's threshold is 0.5 for a probability and 0 for a logit. Several outputs make a weighted sum, by default
    their mean; an output without a loss does not count.

    Args:
        model: A functional, sequential or elastic model, compiled or not.
        metric: What is asked for: `"accuracy"`, `"binary_accuracy"`, `"pixel_accuracy"`, `"mean_iou"`, `"mae"`, `"r2"`
            or a name of Keras' metrics; a Keras metric; a function `score(y_true, y_pred)`; for several outputs a
            dict by output name of these or of pairs of one of these and its weight; or a `Metric`.
        labels: The labels to be used, so that classes and one label per unit are told apart by their shape.
        higher_is_better: The direction of a function's or of a Keras metric's values. By default that of the Keras
            metric; for a function, that higher is better.

    Raises:
        DataError: The metric is unknown or its direction is, or the model alone does not say which metric is right.

    Examples:
        >>> import keras, tfelastic as te
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
        >>> te.metric_of(model)
        ClassAccuracy(name='accuracy', threshold=0.0, ignore_class=None)
        >>> te.metric_of(model, "mae").higher_is_better
        False
    """
    if isinstance(metric, Metric):
        return metric
    if callable(metric) and not isinstance(metric, keras.Metric):
        name = getattr(metric, "__name__", type(metric).__name__)
        return FunctionMetric(metric, name, higher_is_better is not False)
    outputs = _outputs_of(model, labels)
    if len(outputs) == 1 and not isinstance(metric, Mapping):
        return _metric_of_output(outputs[0], metric, higher_is_better)
    return _weighted_sum(model, outputs, metric, higher_is_better)


@dataclass(frozen=True)
class _Output:
    """One output of a model, and what is known of it.

    Attributes:
        model: The model.
        number: The output's number among the flattened outputs.
        name: The output's name.
        shape: Its shape, batch first; `None` for a model that is neither functional nor sequential.
        loss: The compiled loss, if any.
        label_shape: The shape of its labels, if they are known.
    """

    model: keras.Model
    number: int
    name: str
    shape: tuple[int | None, ...] | None
    loss: Any
    label_shape: tuple[int, ...] | None

    @property
    def several_units(self) -> bool:
        return self.shape is None or (len(self.shape) > 1 and self.shape[-1] != 1)

    @property
    def is_image(self) -> bool:
        positions = (self.shape or ())[1:-1]
        return len(positions) > 1 and set(positions) != {1}

    @property
    def labels_are_classes(self) -> bool:
        """Whether the labels' shape says that there is one class at each position."""
        if self.label_shape is None or self.shape is None:
            return False
        return len(self.label_shape) < len(self.shape) or self.label_shape[-1] == 1

    @cached_property
    def loss_names(self) -> frozenset[str]:
        """The loss's own name and those of the losses that it is derived from."""
        return loss_names(self.loss)

    @property
    def threshold(self) -> float | None:
        """The threshold of one unit; `None` where nothing says what its values are."""
        if self.loss_names & BINARY:
            return 0.0 if getattr(self.loss, "from_logits", False) else 0.5
        if self.loss_names & HINGE:
            return 0.0
        return _THRESHOLDS.get(self.kind)

    @cached_property
    def kind(self) -> Kind:
        """What its values are, as the last operations show; nothing is known of a model that cannot be traced."""
        try:
            return kinds_of(trace(self.model))[self.number]
        except GraphError:
            return "values"


def _metric_of_output(output: _Output, metric: Any, higher_is_better: bool | None = None) -> Metric:
    if isinstance(metric, Metric):
        return metric
    if metric is None:
        return _default(output)
    if metric == "accuracy":
        return _accuracy(output)
    if metric == "binary_accuracy":
        threshold = output.threshold
        return BinaryAccuracy(threshold=0.5 if threshold is None else threshold)
    if metric == "mean_iou":
        return MeanIoU(threshold=_unit_threshold(output), ignore_class=_ignored(output))
    if metric == "pixel_accuracy":
        return ClassAccuracy(metric, _unit_threshold(output), _ignored(output))
    if metric in ("mae", "mean_absolute_error"):
        return MeanAbsoluteError()
    if metric in ("r2", "r2_score"):
        return R2()
    if callable(metric) and not isinstance(metric, keras.Metric):
        return FunctionMetric(
            metric, getattr(metric, "__name__", "score"), higher_is_better is not False
        )
    return _keras_metric(metric, higher_is_better)


def _default(output: _Output) -> Metric:
    # Labels [N] for outputs [N, C] are classes, even where one-hot rows were learned by a squared error.
    one_class_each = output.several_units and output.labels_are_classes
    if output.loss_names & REGRESSION and not one_class_each:
        return MeanAbsoluteError()
    decides = output.several_units or output.loss_names & (CLASSES | BINARY | HINGE)
    if not decides and output.threshold != 0.5:
        raise DataError(
            f"output {output.name!r} of model {output.model.name!r} is one unit whose values may be a logit or a "
            "quantity; compile the model with its loss, or give the metric: 'accuracy', 'mae', 'r2' or a function"
        )
    if output.is_image and not _holds_several_labels(output):
        return MeanIoU(threshold=_unit_threshold(output), ignore_class=_ignored(output))
    return _accuracy(output)


def _accuracy(output: _Output) -> Metric:
    if _holds_several_labels(output):
        threshold = output.threshold
        return BinaryAccuracy(threshold=0.5 if threshold is None else threshold)
    return ClassAccuracy("accuracy", _unit_threshold(output), _ignored(output))


def _holds_several_labels(output: _Output) -> bool:
    """Whether each of an output's units answers for a label of its own."""
    if not output.several_units or output.labels_are_classes or output.loss_names & CLASSES:
        return False
    if output.loss_names & BINARY:
        return output.kind != "distribution"
    return output.kind == "fraction"


def _unit_threshold(output: _Output) -> float | None:
    return None if output.several_units and output.shape is not None else output.threshold


def _ignored(output: _Output) -> int | None:
    found = getattr(output.loss, "ignore_class", None)
    return None if found is None else int(found)


def _keras_metric(metric: Any, higher_is_better: bool | None) -> KerasMetric:
    if isinstance(metric, str):
        try:
            metric = keras.metrics.get(metric)
        except ValueError:
            raise DataError(
                f"unknown metric {metric!r}; known: {', '.join(NAMES)}, and the names of Keras' metrics"
            ) from None
    if not isinstance(metric, keras.Metric):
        raise DataError(
            "a metric is a name, a Keras metric, a function score(y_true, y_pred) or, for several outputs, a dict of "
            f"them, received {metric!r:.80}"
        )
    # Keras' own record of the direction, which its callbacks go by; it has no public name.
    known = {"up": True, "down": False}.get(str(getattr(metric, "_direction", None)))
    direction = known if higher_is_better is None else higher_is_better
    if direction is None:
        raise DataError(
            f"whether a higher value of the Keras metric {metric.name!r} is better is not known; give higher_is_better"
        )
    return KerasMetric(metric, metric.name, direction)


def _weighted_sum(
    model: keras.Model, outputs: list[_Output], metric: Any, higher_is_better: bool | None
) -> Metric:
    names = tuple(output.name for output in outputs)
    if isinstance(metric, keras.Metric):
        raise DataError(
            f"model {model.name!r} has the outputs {list(names)}; give a metric for each of them: a dict by name"
        )
    by_name: dict[str, Any] = dict(metric) if isinstance(metric, Mapping) else {}
    if unknown := set(by_name) - set(names):
        raise DataError(
            f"metrics for {sorted(unknown)} were given, but the outputs of model {model.name!r} are {list(names)}"
        )
    if not by_name:
        trained = [output for output in outputs if output.loss is not None] or outputs
        by_name = {output.name: (metric, 1 / len(trained)) for output in trained}
    parts = {}
    for output in outputs:
        if output.name in by_name:
            given = by_name[output.name]
            each, weight = given if isinstance(given, tuple) else (given, 1.0)
            found = _metric_of_output(output, each, higher_is_better)
            parts[output.name] = OutputMetric(found, float(weight))
    return WeightedSum(parts, names)


def _outputs_of(model: keras.Model, labels: Any) -> list[_Output]:
    compiled, model = model, _functional(model)
    tensors = getattr(model, "outputs", None)
    nested = getattr(model, "output", None) if tensors else None
    if not tensors:
        return [
            _Output(model, 0, "output", None, _loss(compiled, model, "output", 0), _shape(labels))
        ]
    if isinstance(nested, Mapping):
        names = list(nested)
    else:
        names = list(model.output_names) if len(tensors) > 1 else ["output"]
    found = []
    for number, name in enumerate(names):
        tensor = nested[name] if isinstance(nested, Mapping) else tensors[number]
        place = next(n for n, each in enumerate(tensors) if each is tensor)
        given = (
            _part(labels, name, number) if len(names) > 1 or isinstance(labels, Mapping) else labels
        )
        loss = _loss(compiled, model, name, number)
        found.append(_Output(model, place, name, tuple(tensor.shape), loss, _shape(given)))
    return found


def _functional(model: keras.Model) -> keras.Model:
    """Return the model that has the outputs: of an elastic network the widest rung, else the model itself."""
    graph = getattr(model, "graph", None)
    return graph.model if isinstance(graph, LayerGraph) else model


def _loss(compiled: keras.Model, model: keras.Model, name: str, number: int) -> Any:
    """Return an output's loss: that of the network that was compiled, else that of the model inside it."""
    loss = getattr(compiled, "loss", None) or getattr(model, "loss", None)
    return _part(loss, name, number) if isinstance(loss, Mapping | list | tuple) else loss


def _part(values: Any, name: str, number: int) -> Any:
    if isinstance(values, Mapping):
        return values.get(name)
    return values[number] if isinstance(values, list | tuple) and number < len(values) else None


def _shape(labels: Any) -> tuple[int, ...] | None:
    return None if labels is None or isinstance(labels, Mapping) else tuple(np.shape(labels))
