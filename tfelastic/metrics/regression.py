"""Metrics of values: the mean absolute error and the coefficient of determination."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfelastic.errors import DataError
from tfelastic.metrics.base import AdditiveMetric, Metric
from tfelastic.metrics.labels import as_outputs, as_same_shape


@dataclass(frozen=True)
class MeanAbsoluteError(AdditiveMetric):
    """The mean absolute difference of outputs and labels, in the labels' unit.

    Attributes:
        name: What the score is called.

    Examples:
        >>> import numpy as np, tfelastic as te
        >>> print(te.metrics.MeanAbsoluteError()(np.array([1.0, 2.0]), np.array([[1.5], [2.0]])))
        mae 0.25 (lower is better)
    """

    name: str = "mae"
    higher_is_better = False

    def sums(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return the sum of the absolute differences, and how many there are, `[2]`."""
        errors = np.abs(_errors(y_true, y_pred)[1])
        return np.array([errors.sum(), errors.size])

    def value_of(self, sums: np.ndarray) -> float:
        """Return the mean."""
        return float(sums[0] / sums[1])

    def per_example(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return each example's mean absolute difference."""
        errors = np.abs(_errors(y_true, y_pred)[1])
        return np.asarray(errors.reshape(len(errors), -1).mean(axis=1))


@dataclass(frozen=True)
class R2(Metric):
    """The coefficient of determination, averaged over an example's values: 1 is perfect, 0 as good as the mean label.

    Attributes:
        name: What the score is called.
    """

    name: str = "r2"
    is_share = True

    def value(self, y_true: Any, y_pred: Any) -> float:
        """Return the coefficient.

        Raises:
            DataError: Shapes do not fit, or a label is the same for all examples, so that nothing is to explain.
        """
        labels, errors = (each.reshape(len(each), -1) for each in _errors(y_true, y_pred))
        spread = np.square(labels - labels.mean(axis=0)).sum(axis=0)
        if (spread == 0).any():
            raise DataError(
                f"R2 is not defined where all {len(labels)} examples have the same label; give more examples, or the "
                "metric 'mae'"
            )
        return float((1 - np.square(errors).sum(axis=0) / spread).mean())


def _errors(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and what outputs differ from them by, float64 in the shape of the outputs."""
    outputs = as_outputs(y_pred).astype(np.float64)
    if not np.isfinite(outputs).all():
        raise DataError("an output is infinite, so its error has no size; the weights are damaged")
    labels = as_same_shape(y_true, outputs)
    return labels, outputs - labels
