"""When enough runs were timed: the median is known to a stated precision, or the time is up.

The interval of the median is that of order statistics, which supposes nothing of the latencies' distribution (Conover,
Practical Nonparametric Statistics, 1999, section 3.2). Runs of one turn share whatever disturbed the machine then, so
what counts as one observation is the median of a turn, not a run.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tflite_export.errors import ProfileError

TAILS = 40
"""One part in so many lies beyond each end of an interval of 95 %."""


@dataclass(frozen=True, kw_only=True)
class StoppingRule:
    """How long variants are measured.

    Attributes:
        half_width: Measuring ends when the 95 % interval of every variant's median reaches no farther from it than
            this share of it; None measures exactly `min_runs`.
        min_runs: Timed runs of each variant, at least; rounded up to whole turns.
        limit_s: Seconds after which no further turn begins, once every variant had one; inf knows no limit.

    Examples:
        >>> StoppingRule(half_width=0.01, limit_s=300)
        StoppingRule(half_width=0.01, min_runs=100, limit_s=300)
    """

    half_width: float | None = 0.02
    min_runs: int = 100
    limit_s: float = 60.0

    def __post_init__(self) -> None:
        if self.half_width is not None and not 0 < self.half_width < 1:
            raise ProfileError(
                f"half_width: expected a share of the median in 0 .. 1, or None, got {self.half_width!r}"
            )
        if self.min_runs < 1:
            raise ProfileError(f"runs must be at least 1, got {self.min_runs!r}")
        if not self.limit_s > 0:
            raise ProfileError(f"limit_s must be more than 0 seconds, got {self.limit_s!r}")

    @classmethod
    def after(cls, runs: int) -> "StoppingRule":
        """Return the rule of a fixed number of runs, however long they take."""
        return cls(half_width=None, min_runs=runs, limit_s=math.inf)


def median_interval(ordered: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of the median, or None where there are too few observations (fewer than 6).

    Args:
        ordered: Independent observations, ascending.

    Examples:
        >>> median_interval([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        (2, 9)
    """
    # The k-th smallest lies above the median where fewer than k observations lie below it: a binomial tail, counted in
    # integers, for 2 ** 1024 is no float.
    count, rank, ways = len(ordered), 0, 1
    below, all_ways = ways, 2**count
    while below * TAILS <= all_ways:
        ways = ways * (count - rank) // (rank + 1)
        rank, below = rank + 1, below + ways
    return (ordered[rank - 1], ordered[-rank]) if rank else None


def relative_half_width(observations: Sequence[float]) -> float | None:
    """Return how far the median's 95 % interval reaches from the median, as a share of it; None where unknown."""
    ordered = sorted(observations)
    interval = median_interval(ordered)
    if interval is None:
        return None
    median = ordered[(len(ordered) - 1) // 2]
    return max(median - interval[0], interval[1] - median) / median
