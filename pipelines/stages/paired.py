"""Two nets on the same test examples: how far apart their scores are, and how sure that is."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipelines.errors import StageError
from pipelines.records import Record
from pipelines.stages.answers import RIGHT, VALUES, Answers

#: The normal distribution's quantile for a two-sided interval of 95 %.
_Z = 1.959964
_DRAWS = 1000

#: What the 95 % interval of a difference is.
Interval = Literal["wald", "t", "bootstrap"]


@dataclass(frozen=True)
class PairedDifference(Record):
    """By how much two nets' scores differ on examples that both saw, with an interval of 95 %.

    Examples on which both agree do not bear on the difference, so the interval is far narrower than those of the
    two scores would be. Which one is right depends on the metric:

    - `wald`: each example is right or wrong. Wald's interval for paired proportions, as in McNemar's test.
    - `t`: the score is the mean of a value per example. Student's interval of the mean of the paired differences.
    - `bootstrap`: the score is no mean, such as the mean IoU or R2. The 2.5 and 97.5 % quantiles of the difference
      over 1,000 samples of the examples, drawn with replacement, the same for both nets.

    Attributes:
        examples: How many examples both saw.
        difference: The first net's score less the second's, in the metric's unit.
        low: The lower end of the interval.
        high: Its upper end.
        interval: Which interval it is.
    """

    examples: int
    difference: float
    low: float
    high: float
    interval: Interval

    @classmethod
    def of(cls, first: Answers, second: Answers) -> "PairedDifference":
        """Compare two nets' answers to the same examples.

        Raises:
            StageError: There are fewer than two.
        """
        if len(first) < 2:
            raise StageError("two nets are compared on at least two test examples; give more")
        if RIGHT in first.arrays:
            return cls._of_right(first.arrays[RIGHT], second.arrays[RIGHT])
        if VALUES in first.arrays:
            return cls._of_values(first.arrays[VALUES] - second.arrays[VALUES])
        return cls._resampled(first, second)

    @classmethod
    def _of_right(cls, first: np.ndarray, second: np.ndarray) -> "PairedDifference":
        count = len(first)
        gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
        net = gained - lost
        half = _Z * math.sqrt(gained + lost - net**2 / count) / count
        return cls(count, net / count, net / count - half, net / count + half, "wald")

    @classmethod
    def _of_values(cls, differences: np.ndarray) -> "PairedDifference":
        count, mean = len(differences), float(differences.mean())
        half = _t_quantile(count - 1) * float(differences.std(ddof=1)) / math.sqrt(count)
        return cls(count, mean, mean - half, mean + half, "t")

    @classmethod
    def _resampled(cls, first: Answers, second: Answers) -> "PairedDifference":
        count, random = len(first), np.random.default_rng(0)
        draws = (random.integers(0, count, count) for _ in range(_DRAWS))
        drawn = [first.score_of(rows) - second.score_of(rows) for rows in draws]
        low, high = np.quantile(drawn, (0.025, 0.975))
        return cls(count, first.score - second.score, float(low), float(high), "bootstrap")


def _t_quantile(freedom: int) -> float:
    """Return Student's quantile for a two-sided interval of 95 %, to 0.2 % from 5 degrees of freedom on.

    The expansion of Cornish and Fisher: Abramowitz and Stegun, 26.7.5.
    """
    z = _Z
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
