"""The selection policy: which variant runs next, in integers alone (`runtime/SPEC.md`, section 4).

A table holds what each variant took on this device when nothing disturbed it. One number, the
slowdown, says how much slower the device is now; it is learnt from whichever variant runs and
scales the whole table, so the variants that are not running are predicted too (ALERT: Wan et al.,
USENIX ATC 2020). Here the estimator is made of comparisons, shifts and one division, so that C++
and Kotlin reproduce it to the last bit.

An observed latency is consistent with a range of slowdowns: its 90 % latency in the table would have
been reached at the low end, its median at the high end. The slowdown moves only when it leaves the
range that the last eight observations agree on. One slow run in eight is an outlier and changes
nothing, as a 90 % budget allows; from the second on, each slow run raises it, at most to twice as
much. It falls by a 32nd of the way per run, so that probing a wider variant again costs few misses.

Example:
    >>> table = [Row(980_000, 4_000, 4_400), Row(950_000, 1_500, 1_700)]
    >>> choose(table, budget_us=5_000)
    Choice(index=0, predicted_us=4400, feasible=True)
    >>> slow = Slowdown().observe(table[0], 8_800).observe(table[0], 8_800)
    >>> choose(table, budget_us=5_000, slowdown=slow)
    Choice(index=1, predicted_us=3400, feasible=True)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfelastic_runtime.errors import BudgetError, ProfileError

ONE_Q16 = 1 << 16
"""The slowdown 1.0 in fixed point: 16 bits behind the point."""
SLOWDOWN_MIN_Q16 = ONE_Q16 >> 4
SLOWDOWN_MAX_Q16 = ONE_Q16 << 6
WINDOW = 8
FALL_SHIFT = 5
MICROSECONDS_MAX = (1 << 31) - 1
"""The largest latency and budget, 35 minutes: their product with any slowdown fits in 64 bits."""


@dataclass(frozen=True)
class Row:
    """What the policy knows of one variant.

    Attributes:
        accuracy_ppm: Correct answers per million.
        p50_us: Median latency in microseconds, measured on this device.
        p90_us: Latency in microseconds that nine runs of ten kept.
    """

    accuracy_ppm: int
    p50_us: int
    p90_us: int

    def __post_init__(self) -> None:
        if not 0 <= self.accuracy_ppm <= 1_000_000:
            raise ProfileError(
                f"accuracy_ppm must lie in 0 .. 1000000, received {self.accuracy_ppm}"
            )
        if not 1 <= self.p50_us <= self.p90_us <= MICROSECONDS_MAX:
            raise ProfileError(
                f"latencies must satisfy 1 <= p50_us <= p90_us <= {MICROSECONDS_MAX}, "
                f"received p50_us={self.p50_us}, p90_us={self.p90_us}"
            )


@dataclass(frozen=True)
class Slowdown:
    """How much slower the device is now than when its table was measured.

    Attributes:
        q16: The estimate in fixed point (65536 is 1.0).
        lows_q16: For the last eight observations, oldest first, the smallest slowdown consistent
            with each.
        highs_q16: The largest slowdown consistent with each.
    """

    q16: int = ONE_Q16
    lows_q16: tuple[int, ...] = (ONE_Q16,) * WINDOW
    highs_q16: tuple[int, ...] = (ONE_Q16,) * WINDOW

    def observe(self, row: Row, observed_us: int) -> Slowdown:
        """Return the estimate after the variant of `row` took `observed_us` microseconds."""
        observed = min(max(observed_us, 1), MICROSECONDS_MAX)
        lows = (*self.lows_q16[1:], _bounded((observed << 16) // row.p90_us))
        highs = (*self.highs_q16[1:], _bounded((observed << 16) // row.p50_us))
        low, high = min(lows[-1], sorted(lows)[-2]), sorted(highs)[-2]
        q16 = self.q16
        if low > q16:
            q16 = min(low, 2 * q16)
        elif high < q16:
            q16 -= (q16 - high + (1 << FALL_SHIFT) - 1) >> FALL_SHIFT
        return Slowdown(q16, lows, highs)

    def predict_us(self, row: Row) -> int:
        """Return the latency in microseconds that nine runs of ten will keep now, rounded up."""
        return (row.p90_us * self.q16 + ONE_Q16 - 1) >> 16


@dataclass(frozen=True)
class Choice:
    """The policy's answer: which row, what it will take, and whether that keeps the budget."""

    index: int
    predicted_us: int
    feasible: bool


def choose(table: Sequence[Row], *, budget_us: int, slowdown: Slowdown = Slowdown()) -> Choice:
    """Return the most accurate variant that is predicted to keep the budget, else the fastest.

    Equal accuracy is decided by the lower `p90_us`, then by the earlier row. So a variant that is
    neither more accurate nor faster than another is never chosen, and a larger budget never gives a
    less accurate one.

    Args:
        table: One row per variant, in the manifest's order.
        budget_us: The latency in microseconds that nine runs of ten should keep.
        slowdown: The present estimate.

    Raises:
        ProfileError: The table is empty.
        BudgetError: The budget is not in 1 .. 2147483647.
    """
    if not table:
        raise ProfileError("the latency table is empty: expected one row per variant")
    check_budget_us(budget_us)
    predictions = [slowdown.predict_us(row) for row in table]
    within = [index for index, predicted in enumerate(predictions) if predicted <= budget_us]
    if within:
        best = min(within, key=lambda i: (-table[i].accuracy_ppm, table[i].p90_us, i))
    else:
        best = min(range(len(table)), key=lambda i: (table[i].p90_us, -table[i].accuracy_ppm, i))
    return Choice(best, predictions[best], bool(within))


def check_budget_us(budget_us: int) -> int:
    """Return a whole number of microseconds in range as it is, else raise `BudgetError`."""
    if isinstance(budget_us, bool) or not isinstance(budget_us, int):
        raise BudgetError(
            f"budget_us must be a whole number of microseconds, received {budget_us!r}"
        )
    if not 1 <= budget_us <= MICROSECONDS_MAX:
        raise BudgetError(f"budget_us must lie in 1 .. {MICROSECONDS_MAX}, received {budget_us}")
    return budget_us


def _bounded(slowdown_q16: int) -> int:
    return min(max(slowdown_q16, SLOWDOWN_MIN_Q16), SLOWDOWN_MAX_Q16)
