"""The selection policy: which variant runs next, in integers alone (`runtime/SPEC.md`, section 4).

A table holds what each variant took on this device when nothing disturbed it; the slowdown, learned from
each run, scales it. The best variant whose predicted latency keeps the budget runs, where a switch to
it pays.

Examples:
    >>> table = [Row(980_000, 4_000, 4_400), Row(950_000, 1_500, 1_700)]
    >>> choose(table, budget_us=5_000)
    Choice(index=0, predicted_us=4400, feasible=True)
    >>> slow = Slowdown()
    >>> for _ in range(2):
    ...     slow.observe(table[0], 8_000)
    >>> choose(table, budget_us=5_000, slowdown=slow)
    Choice(index=1, predicted_us=3400, feasible=True)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfelastic_runtime.errors import BudgetError, ProfileError
from tfelastic_runtime.row import MICROSECONDS_MAX, Row
from tfelastic_runtime.slowdown import Slowdown

SWITCH_RUNS = 64
"""Runs between two switches of which the second exceeds the budget."""
UNUSED_MAX_US = 1 << 40


@dataclass(slots=True)
class Current:
    """The variant that ran last.

    Attributes:
        index: Its row.
        runs: Its runs since the switch to it, at most 64.
        unused_us: What these runs left unused of their budgets, in microseconds.
    """

    index: int
    runs: int = 0
    unused_us: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """The policy's answer: which row, what the run will take, and whether that keeps the budget.

    Attributes:
        index: The row.
        predicted_us: The predicted latency in microseconds, with the time of switching.
        feasible: Whether `predicted_us` keeps the budget.
    """

    index: int
    predicted_us: int
    feasible: bool


def choose(
    table: Sequence[Row],
    *,
    budget_us: int,
    slowdown: Slowdown | None = None,
    current: Current | None = None,
) -> Choice:
    """Return the best variant that is predicted to keep the budget, else the fastest.

    A switch counts in the prediction of the run that makes it. While the current variant keeps the
    budget, a switch is made only when the runs since the last one have left as much time unused as it
    takes; one that exceeds the budget by itself, only after 64 runs.

    Args:
        table: One row per variant, in the manifest's order.
        budget_us: The latency in microseconds that at least nine runs of ten should keep.
        slowdown: The present estimate; None before the first run.
        current: The variant that ran last; None before the first run.

    Raises:
        ProfileError: The table is empty.
        BudgetError: The budget is not in 1 .. 2147483647.
    """
    if not table:
        raise ProfileError("the latency table is empty: expected one row per variant")
    check_budget_us(budget_us)
    return _choose(table, _ranked(table), budget_us, slowdown or Slowdown(), current)


def _ranked(table: Sequence[Row]) -> list[int]:
    """Return the rows' places, the best score first; among equals as ties are broken."""
    return sorted(range(len(table)), key=lambda index: _rank(table, index))


def _rank(table: Sequence[Row], index: int) -> tuple[int, ...]:
    row = table[index]
    return -row.score_order, row.p90_us, row.p50_us, index


def _choose(
    table: Sequence[Row],
    ranked: Sequence[int],
    budget_us: int,
    slowdown: Slowdown,
    current: Current | None,
) -> Choice:
    predicted = slowdown.predict_us(table)
    fastest = min(ranked, key=predicted.__getitem__)
    least = table[fastest].score_order
    running = -1 if current is None else current.index
    # A variant that is slower and worse than the fastest one is left without conditions.
    last = None if current is None or table[running].score_order < least else current
    best, best_cost = -1, 0
    for index in ranked:
        row = table[index]
        if row.score_order < (least if best < 0 else table[best].score_order):
            break
        cost = predicted[index] + (0 if index == running else row.switch_us)
        if best >= 0 and cost >= best_cost:
            continue
        if last is None or index == running:
            is_allowed = predicted[index] <= budget_us
        else:
            is_allowed = _pays(row, predicted[index], predicted[running], budget_us, last)
        if is_allowed:
            best, best_cost = index, cost
    if best < 0:
        best = fastest
        best_cost = predicted[best] + (0 if best == running else table[best].switch_us)
    return Choice(best, best_cost, best_cost <= budget_us)


def _pays(row: Row, predicted_us: int, current_us: int, budget_us: int, current: Current) -> bool:
    """Return whether a switch to a row pays: the budget demands it, or the time for it was left."""
    cost = predicted_us + row.switch_us
    if current_us > budget_us or cost <= current_us:
        return cost <= budget_us
    return (
        predicted_us <= budget_us
        and (cost <= budget_us or current.runs >= SWITCH_RUNS)
        and current.unused_us >= row.switch_us
    )


def dominated(table: Sequence[Row]) -> dict[int, int]:
    """Return the rows that no budget chooses, each with a row that is as good and as fast.

    Such a variant takes space for nothing. Switching is not counted: all variants may be resident.

    Examples:
        >>> dominated([Row(950_000, 500, 600), Row(940_000, 550, 650), Row(900_000, 100, 120)])
        {1: 0}
    """
    found: dict[int, int] = {}
    ranked = _ranked(table)
    for place, index in enumerate(ranked):
        row = table[index]
        for other in ranked[:place]:
            if table[other].p90_us <= row.p90_us and table[other].p50_us <= row.p50_us:
                found[index] = other
                break
    return found


class Policy:
    """The policy with its state: `choose`, run that variant, `observe`, and again.

    Args:
        table: One row per variant, in the manifest's order.

    Attributes:
        table: The rows of the variants that can run.
        slowdown: The present estimate.
        current: The variant that ran last; None before the first run.

    Examples:
        >>> policy = Policy([Row(980_000, 4_000, 4_400), Row(950_000, 1_500, 1_700)])
        >>> policy.choose(2_000).index
        1
        >>> policy.observe(1_600)
        >>> policy.slowdown.q16 / 65536
        1.033...
    """

    def __init__(self, table: Sequence[Row]) -> None:
        self.table = tuple(table)
        self.slowdown = Slowdown()
        self.current: Current | None = None
        self._ranked = _ranked(self.table)
        self._budget_us = 1

    def choose(self, budget_us: int, table: Sequence[Row] | None = None) -> Choice:
        """Return the next choice, which the next `observe` is of.

        Args:
            budget_us: The latency in microseconds that at least nine runs of ten should keep.
            table: The rows as they are now, where `switch_us` has changed with what is resident.
        """
        if not self.table:
            raise ProfileError("the latency table is empty: expected one row per variant")
        self._budget_us = check_budget_us(budget_us)
        now = self.table if table is None else table
        choice = _choose(now, self._ranked, budget_us, self.slowdown, self.current)
        if self.current is None or self.current.index != choice.index:
            self.current = Current(choice.index)
        return choice

    def observe(self, observed_us: int) -> None:
        """Learn what the chosen variant took, in microseconds, without the time of switching."""
        current = self.current
        if current is None:
            raise ProfileError("observe: no variant was chosen yet; call choose first")
        unused_us = current.unused_us + max(self._budget_us - max(observed_us, 1), 0)
        current.runs = min(current.runs + 1, SWITCH_RUNS)
        current.unused_us = min(unused_us, UNUSED_MAX_US)
        self.slowdown.observe(self.table[current.index], observed_us)

    def remove(self, index: int) -> None:
        """Take out the row of a variant that cannot run: the rows behind it move up.

        What was learned of the device stays.
        """
        self.table = (*self.table[:index], *self.table[index + 1 :])
        self._ranked = _ranked(self.table)
        if self.current is not None and self.current.index == index:
            self.current = None
        elif self.current is not None and self.current.index > index:
            self.current.index -= 1


def check_budget_us(budget_us: int) -> int:
    """Return a whole number of microseconds in range as it is, else raise `BudgetError`."""
    if isinstance(budget_us, bool) or not isinstance(budget_us, int):
        raise BudgetError(
            f"budget_us must be a whole number of microseconds, received {budget_us!r}"
        )
    if not 1 <= budget_us <= MICROSECONDS_MAX:
        raise BudgetError(f"budget_us must lie in 1 .. {MICROSECONDS_MAX}, received {budget_us}")
    return budget_us
