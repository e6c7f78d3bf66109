"""What a test of finite size can say of the loss between two models; what they are scored by is `tfelastic`'s."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_export.errors import VerificationError

if TYPE_CHECKING:
    from tfelastic import Metric
    from tfelastic.metrics import AdditiveMetric

Z_95 = 1.96
"""Quantile of the normal distribution that bounds a two-sided interval of 95 %."""

RESAMPLES = 200


@dataclass(frozen=True)
class Loss:
    """How much worse one of two models does on the same samples, with an interval of 95 %.

    Attributes:
        mean: The loss, in units of the score; negative where it is a gain.
        low: Lower end of the interval.
        high: Its upper end.
    """

    mean: float
    low: float
    high: float


def loss_of(metric: "Metric", labels: Any, before: Any, after: Any) -> Loss:
    """Return how much worse `after` scores than `before`, whichever direction of the score is better.

    The interval follows from the scores of single samples where there are any; otherwise samples are drawn anew.

    Args:
        metric: The score.
        labels: What the models should return, `[count, ...]`, nested as the metric takes it.
        before: One model's outputs, nested in the same way.
        after: The other's.

    Raises:
        VerificationError: The score is not defined on most draws of the samples.
    """
    pair = metric.per_example(labels, before), metric.per_example(labels, after)
    if pair[0] is None or pair[1] is None:
        return resampled_loss(metric, labels, before, after)
    sign = 1 if metric.higher_is_better else -1
    return paired_loss(sign * pair[0], sign * pair[1], shares=metric.is_share)


def paired_loss(before: np.ndarray, after: np.ndarray, *, shares: bool = True) -> Loss:
    """Return the mean loss between two models' values per example, `[count]` each, with its interval of 95 %.

    For shares it is that of Agresti and Min (2005) for a difference of paired shares: half a sample is added to
    each of the four cells, so that it is right for few differences too. For other values it is Student's.
    """
    loss = np.asarray(before, np.float64) - after
    if not shares:
        half = _student_95(len(loss) - 1) * loss.std(ddof=1) / np.sqrt(len(loss))
        return Loss(float(loss.mean()), float(loss.mean() - half), float(loss.mean() + half))
    count, total, squares = len(loss) + 2, loss.sum(), (loss**2).sum() + 1
    half = Z_95 * np.sqrt(max(squares - total**2 / count, 0.0)) / count
    return Loss(float(loss.mean()), float(total / count - half), float(total / count + half))


def resampled_loss(metric: "Metric", labels: Any, before: Any, after: Any) -> Loss:
    """Return the loss of any score, with the interval of a paired bootstrap of 200 draws.

    Raises:
        VerificationError: The score is not defined on most draws of the samples.
    """
    from tfelastic.errors import DataError
    from tfelastic.metrics import AdditiveMetric

    if isinstance(metric, AdditiveMetric):
        value = _additive_value(metric, labels, before, after)
    else:
        value = _plain_value(metric, labels, before, after)
    sign = 1 if metric.higher_is_better else -1
    count, rng = len(_first(before)), np.random.default_rng(0)
    drawn, undefined = [], 0
    for _ in range(RESAMPLES):
        rows = rng.integers(0, count, count)
        try:
            drawn.append(sign * (value(0, rows) - value(1, rows)))
        except DataError:
            undefined += 1
    if undefined > RESAMPLES / 2:
        raise VerificationError(
            f"{metric.name} is not defined on most draws of the {count} samples, so nothing can be said of its loss: "
            "give more and more different samples, or another metric"
        )
    low, high = np.quantile(drawn, [0.025, 0.975])
    rows = np.arange(count)
    return Loss(float(sign * (value(0, rows) - value(1, rows))), float(low), float(high))


def _plain_value(
    metric: "Metric", labels: Any, before: Any, after: Any
) -> Callable[[int, np.ndarray], float]:
    def value(which: int, rows: np.ndarray) -> float:
        return metric.value(_rows(labels, rows), _rows((before, after)[which], rows))

    return value


def _additive_value(
    metric: "AdditiveMetric", labels: Any, before: Any, after: Any
) -> Callable[[int, np.ndarray], float]:
    """Return the value on a draw from the sums of single samples, so that each is looked at once."""
    count = len(_first(before))
    sums = [
        np.stack([metric.sums(labels[i : i + 1], outputs[i : i + 1]) for i in range(count)])
        for outputs in (before, after)
    ]

    def value(which: int, rows: np.ndarray) -> float:
        return metric.value_of(sums[which][rows].sum(axis=0))

    return value


def _student_95(freedom: int) -> float:
    """Return the quantile of Student's distribution that bounds a two-sided interval of 95 %.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5; within 1 % from 3 degrees of freedom.
    """
    z, n = 1.959964, max(1, freedom)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3


def _rows(values: Any, rows: np.ndarray) -> Any:
    if isinstance(values, tuple | list):
        return tuple(_rows(each, rows) for each in values)
    if isinstance(values, dict):
        return {name: _rows(each, rows) for name, each in values.items()}
    return values[rows]


def _first(values: Any) -> np.ndarray:
    while isinstance(values, tuple | list | dict):
        values = next(iter(values.values() if isinstance(values, dict) else values))
    first: np.ndarray = values
    return first
