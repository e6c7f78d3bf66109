"""What a test of finite size can say of the loss between two models; what they are scored by is `tfelastic`'s."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tfelastic import Metric

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


def paired_loss(before: np.ndarray, after: np.ndarray) -> Loss:
    """Return the mean loss between two models' values per example, `[count]` each, with its interval of 95 %.

    The interval is that of Agresti and Min (2005) for a difference of paired shares: half a sample is added to
    each of the four cells, so that it is right for few differences too.
    """
    loss = np.asarray(before, np.float64) - after
    count, total, squares = len(loss) + 2, loss.sum(), (loss**2).sum() + 1
    half = Z_95 * np.sqrt(max(squares - total**2 / count, 0.0)) / count
    return Loss(float(loss.mean()), float(total / count - half), float(total / count + half))


def resampled_loss(metric: "Metric", labels: Any, before: Any, after: Any) -> Loss:
    """Return the loss of any score, with the interval of a paired bootstrap of 200 draws."""
    sign = 1 if metric.higher_is_better else -1

    def loss(rows: Any) -> float:
        chosen = [_rows(each, rows) for each in (labels, before, after)]
        return sign * (metric.value(chosen[0], chosen[1]) - metric.value(chosen[0], chosen[2]))

    count, rng = len(_first(before)), np.random.default_rng(0)
    drawn = [loss(rng.integers(0, count, count)) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Loss(float(loss(np.arange(count))), float(low), float(high))


def _rows(values: Any, rows: np.ndarray) -> Any:
    if isinstance(values, tuple | list):
        return tuple(_rows(each, rows) for each in values)
    if isinstance(values, dict):
        return {name: _rows(each, rows) for name, each in values.items()}
    return values[rows]


def _first(values: Any) -> np.ndarray:
    first: np.ndarray = values[0] if isinstance(values, tuple) else values
    return first
