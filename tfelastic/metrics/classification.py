"""Metrics of classes: accuracy per example, per pixel and per label, and the mean intersection over union."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfelastic.errors import DataError
from tfelastic.metrics.base import AdditiveMetric
from tfelastic.metrics.labels import (
    as_binary_labels,
    as_class_labels,
    as_classes,
    as_outputs,
    without_unit_positions,
)


@dataclass(frozen=True)
class ClassAccuracy(AdditiveMetric):
    """The share of examples, or of pixels, whose class is the right one.

    Attributes:
        name: What the score is called: `"accuracy"`, or `"pixel_accuracy"`.
        threshold: For one unit, above which value it means class 1: 0.5 for a probability, 0 for a logit.
        ignore_class: A class of pixels that are left out.

    Examples:
        >>> import numpy as np, tfelastic as te
        >>> accuracy = te.metrics.ClassAccuracy(threshold=0.5)
        >>> accuracy(np.array([[1], [0], [1], [1]]), np.array([[0.9], [0.4], [0.3], [0.8]])).value
        0.75
    """

    name: str = "accuracy"
    threshold: float | None = None
    ignore_class: int | None = None
    is_share = True

    def _hits(self, y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return where the class is right and what counts, bool `[N, ...]`."""
        chosen, right = _classes(self, y_true, y_pred)
        return chosen == right, _counted(right, self.ignore_class)

    def sums(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return how many positions are right, and how many there are, `[2]`."""
        hits, counted = self._hits(y_true, y_pred)
        return np.array([(hits & counted).sum(), counted.sum()], dtype=np.float64)

    def value_of(self, sums: np.ndarray) -> float:
        """Return the share of right positions, 0 to 1."""
        if sums[1] == 0:
            raise DataError(f"every label is the ignored class {self.ignore_class}")
        return float(sums[0] / sums[1])

    def per_example(self, y_true: Any, y_pred: Any) -> np.ndarray | None:
        """Return each example's share of right positions; `None` where some classes are ignored."""
        if self.ignore_class is not None:
            return None
        hits, _ = self._hits(y_true, y_pred)
        return _mean_per_example(hits)

    def agreement(self, first: Any, second: Any) -> float:
        """Return the share of positions at which both choose the same class."""
        return _agreement(self.threshold, first, second)

    def correct(self, y_true: Any, y_pred: Any) -> np.ndarray | None:
        """Return which examples are right; `None` where an example has several positions."""
        if self.ignore_class is not None:
            return None
        hits, _ = self._hits(y_true, y_pred)
        return hits if hits.ndim == 1 else None


@dataclass(frozen=True)
class BinaryAccuracy(AdditiveMetric):
    """The share of labels that are right, where several may hold at once: 1 minus the Hamming loss.

    Attributes:
        name: What the score is called.
        threshold: Above which value a label is said to hold: 0.5 for probabilities, 0 for logits.
    """

    name: str = "binary_accuracy"
    threshold: float = 0.5
    is_share = True

    def _hits(self, y_true: Any, y_pred: Any) -> np.ndarray:
        outputs = as_outputs(y_pred)
        return (outputs > self.threshold) == as_binary_labels(y_true, outputs)

    def sums(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return how many labels are right, and how many there are, `[2]`."""
        hits = self._hits(y_true, y_pred)
        return np.array([hits.sum(), hits.size], dtype=np.float64)

    def value_of(self, sums: np.ndarray) -> float:
        """Return the share of right labels, 0 to 1."""
        return float(sums[0] / sums[1])

    def per_example(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return each example's share of right labels."""
        return _mean_per_example(self._hits(y_true, y_pred))

    def agreement(self, first: Any, second: Any) -> float:
        """Return the share of labels about which both say the same."""
        chosen = (as_outputs(first) > self.threshold).astype(np.int64)
        return float(self._hits(chosen, second).mean())


@dataclass(frozen=True)
class MeanIoU(AdditiveMetric):
    """The intersection over union of each class, averaged over the classes that occur in labels or outputs.

    Attributes:
        name: What the score is called.
        threshold: For one unit, above which value it means class 1: 0.5 for a probability, 0 for a logit.
        ignore_class: A class of pixels that are left out.
    """

    name: str = "mean_iou"
    threshold: float | None = None
    ignore_class: int | None = None
    is_share = True

    def sums(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return for each class the pixels in both labels and outputs, in labels, and in outputs, `[3, C]`."""
        outputs = as_outputs(y_pred)
        chosen, right = _classes(self, y_true, outputs)
        classes = max(2, outputs.shape[-1] if outputs.ndim > 1 else 2)
        counted = _counted(right, self.ignore_class)
        chosen, right = chosen[counted], right[counted]
        counts = [np.bincount(each, minlength=classes) for each in (right[chosen == right], right)]
        return np.array([*counts, np.bincount(chosen, minlength=classes)], dtype=np.float64)

    def value_of(self, sums: np.ndarray) -> float:
        """Return the mean over the classes that occur, 0 to 1."""
        both, in_labels, in_outputs = sums
        union = in_labels + in_outputs - both
        if not union.any():
            raise DataError(f"every label is the ignored class {self.ignore_class}")
        return float((both[union > 0] / union[union > 0]).mean())

    def agreement(self, first: Any, second: Any) -> float:
        """Return the share of pixels at which both choose the same class."""
        return _agreement(self.threshold, first, second)


def _classes(
    metric: ClassAccuracy | MeanIoU, y_true: Any, y_pred: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the chosen and the right class at each position, integers `[N, ...]`."""
    outputs = without_unit_positions(y_true, as_outputs(y_pred))
    chosen, classes = as_classes(outputs, metric.threshold)
    return chosen, as_class_labels(y_true, outputs, classes, metric.ignore_class)


def _agreement(threshold: float | None, first: Any, second: Any) -> float:
    chosen, _ = as_classes(as_outputs(first), threshold)
    return ClassAccuracy(threshold=threshold).value(chosen, second)


def _counted(labels: np.ndarray, ignore_class: int | None) -> np.ndarray:
    return np.ones(labels.shape, bool) if ignore_class is None else labels != ignore_class


def _mean_per_example(hits: np.ndarray) -> np.ndarray:
    return hits.reshape(len(hits), -1).mean(axis=1, dtype=np.float64)
