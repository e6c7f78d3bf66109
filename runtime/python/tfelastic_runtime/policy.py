"""The selection policy: which variant runs next, in integers alone (`runtime/SPEC.md`, section 4).

A table holds what each variant took on this device when nothing disturbed it. One number, the
slowdown, says how much slower the device is now; it is learned from whichever variant runs and
scales the table of all (ALERT: Wan et al., USENIX ATC 2020). Three facts decide how it is learned:

* A run can be slow by accident, but not fast by accident. So one clearly fast run ends a load, and
  one clearly slow run changes nothing until a second confirms it.
* Where slow runs have proved lasting before, the next such run is believed at once, until two such
  runs in succession were none.
* Where the slowdown was lowered and the next runs are slow again, the table does not fit this
  variant. Each time the number of fast runs that lowering takes doubles.

Between such changes the slowdown is a running mean, predictions have a margin in proportion to the
differences between successive runs, and a dead band keeps noise from switching variants.

Examples:
    >>> table = [Row(980_000, 4_000, 4_400), Row(950_000, 1_500, 1_700)]
    >>> choose(table, budget_us=5_000)
    Choice(index=0, predicted_us=4400, feasible=True)
    >>> slow = Slowdown().observe(table[0], 8_000).observe(table[0], 8_000)
    >>> choose(table, budget_us=5_000, slowdown=slow)
    Choice(index=1, predicted_us=3400, feasible=True)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tfelastic_runtime.errors import BudgetError, ProfileError

ONE_Q16 = 1 << 16
"""1.0 in fixed point: 16 bits behind the point."""
SLOWDOWN_MIN_Q16 = ONE_Q16 >> 4
SLOWDOWN_MAX_Q16 = ONE_Q16 << 6
"""The slowdowns that one run can tell of."""
DEVIATION_MIN_Q16 = ONE_Q16 >> 5
"""The least deviation that the first run starts from."""
TOLERANCE_MIN_Q16, TOLERANCE_MAX_Q16 = ONE_Q16 >> 3, ONE_Q16 >> 1
RISE_RUNS, FALL_RUNS = 8, 12
"""The runs that a mean remembers: fewer when it rises, for a slow run costs more than a narrow one."""
DEVIATION_SHIFT = 6
LASTING_RUNS = 4
DOUBTS = 2
"""Runs wrongly believed at once, with no load between them, that lower the trust."""
TRIAL_RUNS = 8
PATIENCE_MAX = 64
SWITCH_RUNS = 64
"""Runs between two switches of which the second exceeds the budget."""
MICROSECONDS_MAX = (1 << 31) - 1
"""The largest latency and budget, 35 minutes: their product with any slowdown fits in 64 bits."""
SCORE_ORDER_MAX = (1 << 31) - 1
UNUSED_MAX_US = 1 << 40


@dataclass(frozen=True)
class Row:
    """What the policy knows of one variant.

    Attributes:
        score_order: The variant's score as an integer of 32 bits; a better one is larger.
        p50_us: Median latency in microseconds, measured on this device.
        p90_us: Latency in microseconds that nine runs of ten kept.
        switch_us: Time in microseconds to make the variant ready, on top of the run itself; 0 where
            it is resident, or where that time is unknown.
    """

    score_order: int
    p50_us: int
    p90_us: int
    switch_us: int = 0

    def __post_init__(self) -> None:
        if not -SCORE_ORDER_MAX <= self.score_order <= SCORE_ORDER_MAX:
            raise ProfileError(
                f"score_order must lie in {-SCORE_ORDER_MAX} .. {SCORE_ORDER_MAX}, "
                f"received {self.score_order}"
            )
        if not 1 <= self.p50_us <= self.p90_us <= MICROSECONDS_MAX:
            raise ProfileError(
                f"latencies must satisfy 1 <= p50_us <= p90_us <= {MICROSECONDS_MAX}, "
                f"received p50_us={self.p50_us}, p90_us={self.p90_us}"
            )
        if not 0 <= self.switch_us <= MICROSECONDS_MAX:
            raise ProfileError(
                f"switch_us must lie in 0 .. {MICROSECONDS_MAX}, received {self.switch_us}"
            )


@dataclass(frozen=True)
class Slowdown:
    """How much slower the device is now than when its table was measured.

    All `_q16` numbers are in fixed point: 65536 is 1.0.

    Attributes:
        q16: The slowdown that predictions use.
        spread_q16: The relative spread that predictions use; 0 before the first run.
        mean_q16: Mean slowdown of the runs since the last change of level.
        deviation_q16: Mean relative difference between successive runs.
        runs: Runs in the mean, at most 12; 0 before the first run.
        latest_q16: The latest run's slowdown, or 0.
        latest_p50_us: The median latency of the variant that it was of.
        slow_q16: A slow run that waits for confirmation, or 0.
        before_q16: The slowdown before a slow run that was believed at once, or 0.
        trusted_q16: Slow runs up to this factor of the mean are believed at once.
        doubts: Runs that were wrongly believed at once since the last load; two lower the trust.
        pending_q16: The factor of a load that is trusted once it has lasted four runs, or 0.
        fast_runs: Clearly fast runs in succession.
        patience: How many of them lower the slowdown.
        trial: Runs for which a slow run would still refute the latest lowering.
    """

    q16: int = ONE_Q16
    spread_q16: int = 0
    mean_q16: int = ONE_Q16
    deviation_q16: int = 0
    runs: int = 0
    latest_q16: int = 0
    latest_p50_us: int = 0
    slow_q16: int = 0
    before_q16: int = 0
    trusted_q16: int = 0
    doubts: int = 0
    pending_q16: int = 0
    fast_runs: int = 0
    patience: int = 1
    trial: int = 0

    def observe(self, row: Row, observed_us: int) -> Slowdown:
        """Return the estimate after the variant of `row` took `observed_us` microseconds.

        The time of switching to the variant is not part of `observed_us`.
        """
        observed = min(max(observed_us, 1), MICROSECONDS_MAX)
        run = min(max((observed << 16) // row.p50_us, SLOWDOWN_MIN_Q16), SLOWDOWN_MAX_Q16)
        state = self if self.runs else replace(self, runs=1, deviation_q16=_deviation_of(row))
        if state.latest_p50_us != row.p50_us:
            # The tables of two variants may err in different ways, which is no noise.
            state = replace(state, latest_q16=0, latest_p50_us=row.p50_us)
        tolerance = min(max(4 * state.deviation_q16, TOLERANCE_MIN_Q16), TOLERANCE_MAX_Q16)
        band = state.mean_q16 * tolerance >> 16
        if run > state.mean_q16 + band:
            return state._after_slow(run, tolerance)
        if run < state.mean_q16 - band:
            return state._after_fast(run, tolerance)
        return state._after_usual(run, tolerance)

    def predict_us(self, row: Row) -> int:
        """Return the latency in microseconds that the variant's next run will keep, rounded up.

        At least nine runs of ten keep it, by the table's spread or by the present one.
        """
        upper = self.q16 + (self.q16 * self.spread_q16 >> 16)
        return (max(row.p90_us * self.q16, row.p50_us * upper) + ONE_Q16 - 1) >> 16

    def _after_slow(self, run: int, tolerance: int) -> Slowdown:
        if self.trial:
            patience = min(2 * self.patience, PATIENCE_MAX)
            return self._moved(run, run, tolerance, patience=patience, trial=0)
        if self.before_q16:
            return self._moved(run, run, tolerance)
        if self.slow_q16:
            factor = (self.slow_q16 << 16) // self.mean_q16
            return self._moved(min(run, self.slow_q16), run, tolerance, pending_q16=factor)
        if run << 16 <= self.trusted_q16 * self.mean_q16:
            return self._moved(run, run, tolerance, before_q16=self.mean_q16)
        return replace(self, slow_q16=run, fast_runs=0)

    def _after_fast(self, run: int, tolerance: int) -> Slowdown:
        if self.before_q16:
            doubts, trusted = self.doubts + 1, self.trusted_q16
            if doubts == DOUBTS:
                doubts, trusted = 0, (self.mean_q16 << 16) // self.before_q16 - 1
            return self._moved(self.before_q16, run, tolerance, doubts=doubts, trusted_q16=trusted)
        learned = self._learned(run, tolerance)
        if self.fast_runs + 1 >= learned["patience"]:
            return self._moved(run, run, tolerance, trial=TRIAL_RUNS)
        return replace(self, **learned, slow_q16=0, fast_runs=self.fast_runs + 1)

    def _after_usual(self, run: int, tolerance: int) -> Slowdown:
        runs = min(self.runs + 1, FALL_RUNS)
        if run >= self.mean_q16:
            mean = self.mean_q16 + (run - self.mean_q16) // min(runs, RISE_RUNS)
        else:
            mean = self.mean_q16 - (self.mean_q16 - run) // runs
        trusted, pending = self.trusted_q16, self.pending_q16
        doubts = 0 if self.before_q16 else self.doubts
        if pending and runs >= LASTING_RUNS:
            # The next load may be somewhat heavier than the heaviest until now.
            trusted, pending, doubts = max(trusted, pending + (pending >> 3)), 0, 0
        learned = self._learned(run, tolerance)
        return replace(
            self,
            **learned,
            q16=min(max(self.q16, mean), mean + (mean * learned["spread_q16"] >> 17)),
            mean_q16=mean,
            runs=runs,
            slow_q16=0,
            before_q16=0,
            trusted_q16=trusted,
            doubts=doubts,
            pending_q16=pending,
            fast_runs=0,
        )

    def _learned(self, run: int, tolerance: int) -> dict[str, int]:
        """Return what every run changes: the deviation, the spread, and one run less on trial."""
        latest, deviation = self.latest_q16, self.deviation_q16
        if latest:
            difference = min((abs(run - latest) << 16) // max(run, latest), tolerance)
            step = abs(difference - deviation) >> DEVIATION_SHIFT
            deviation += step if difference >= deviation else -step
        return {
            "latest_q16": run,
            "deviation_q16": deviation,
            "spread_q16": min(max(self.spread_q16, deviation), 4 * deviation // 3),
            "trial": max(self.trial - 1, 0),
            "patience": 1 if self.trial == 1 else self.patience,
        }

    def _moved(self, level_q16: int, run: int, tolerance: int, **changes: int) -> Slowdown:
        """Return the state at a new level, after a run."""
        moved = {
            **self._learned(run, tolerance),
            "q16": level_q16,
            "mean_q16": level_q16,
            "runs": 1,
            "slow_q16": 0,
            "before_q16": 0,
            "pending_q16": 0,
            "fast_runs": 0,
        }
        return replace(self, **{**moved, **changes})


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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
    slowdown: Slowdown = Slowdown(),
    current: Current | None = None,
) -> Choice:
    """Return the best variant that is predicted to keep the budget, else the fastest.

    A switch counts in the prediction of the run that makes it. While the current variant keeps the
    budget, a switch is made only when the runs since the last one have left as much time unused as it
    takes; one that exceeds the budget by itself, only after 64 runs.

    Args:
        table: One row per variant, in the manifest's order.
        budget_us: The latency in microseconds that at least nine runs of ten should keep.
        slowdown: The present estimate.
        current: The variant that ran last; None before the first run.

    Raises:
        ProfileError: The table is empty.
        BudgetError: The budget is not in 1 .. 2147483647.
    """
    if not table:
        raise ProfileError("the latency table is empty: expected one row per variant")
    check_budget_us(budget_us)
    predicted = [slowdown.predict_us(row) for row in table]
    fastest = min(
        range(len(table)),
        key=lambda i: (predicted[i], -table[i].score_order, table[i].p90_us, table[i].p50_us, i),
    )
    # A variant that is slower and worse than the fastest one is left without conditions.
    if current and table[current.index].score_order < table[fastest].score_order:
        current = None
    allowed = [
        index
        for index in range(len(table))
        if table[index].score_order >= table[fastest].score_order
        and _allowed(table, predicted, index, budget_us, current)
    ]
    costs = [
        predicted[index] + (0 if current and index == current.index else row.switch_us)
        for index, row in enumerate(table)
    ]
    best = min(
        allowed,
        default=fastest,
        key=lambda i: (-table[i].score_order, costs[i], table[i].p90_us, table[i].p50_us, i),
    )
    return Choice(best, costs[best], costs[best] <= budget_us)


def _allowed(
    table: Sequence[Row],
    predicted: Sequence[int],
    index: int,
    budget_us: int,
    current: Current | None,
) -> bool:
    """Return whether a row may run next: it keeps the budget, and a switch to it pays."""
    if current is None or index == current.index:
        return predicted[index] <= budget_us
    cost = predicted[index] + table[index].switch_us
    limit = predicted[current.index]
    if limit > budget_us or cost <= limit:
        return cost <= budget_us
    return (
        predicted[index] <= budget_us
        and (cost <= budget_us or current.runs >= SWITCH_RUNS)
        and current.unused_us >= table[index].switch_us
    )


def dominated(table: Sequence[Row]) -> dict[int, int]:
    """Return the rows that no budget chooses, each with a row that is as good and as fast.

    Such a variant takes space for nothing. Switching is not counted: all variants may be resident.

    Examples:
        >>> dominated([Row(950_000, 500, 600), Row(940_000, 550, 650), Row(900_000, 100, 120)])
        {1: 0}
    """

    def rank(index: int) -> tuple[int, ...]:
        row = table[index]
        return -row.score_order, row.p90_us, row.p50_us, index

    found = {}
    for index, row in enumerate(table):
        better = [
            other
            for other, each in enumerate(table)
            if rank(other) < rank(index) and each.p90_us <= row.p90_us and each.p50_us <= row.p50_us
        ]
        if better:
            found[index] = min(better, key=rank)
    return found


class Policy:
    """The policy with its state: `choose`, run that variant, `observe`, and again.

    Args:
        table: One row per variant, in the manifest's order.

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
        self._budget_us = 1

    def choose(self, budget_us: int, table: Sequence[Row] | None = None) -> Choice:
        """Return the next choice, which the next `observe` is of.

        Args:
            budget_us: The latency in microseconds that at least nine runs of ten should keep.
            table: The rows as they are now, where it has changed which variants are resident.
        """
        choice = choose(
            self.table if table is None else table,
            budget_us=budget_us,
            slowdown=self.slowdown,
            current=self.current,
        )
        if self.current is None or self.current.index != choice.index:
            self.current = Current(choice.index)
        self._budget_us = budget_us
        return choice

    def observe(self, observed_us: int) -> None:
        """Learn what the chosen variant took, in microseconds, without the time of switching."""
        if self.current is None:
            raise ProfileError("observe: no variant was chosen yet; call choose first")
        last = self.current
        unused_us = last.unused_us + max(self._budget_us - max(observed_us, 1), 0)
        self.current = Current(
            last.index, min(last.runs + 1, SWITCH_RUNS), min(unused_us, UNUSED_MAX_US)
        )
        self.slowdown = self.slowdown.observe(self.table[last.index], observed_us)

    def remove(self, index: int) -> None:
        """Take out the row of a variant that cannot run: the rows behind it move up.

        What was learned of the device stays.
        """
        self.table = (*self.table[:index], *self.table[index + 1 :])
        last = self.current
        if last is not None and last.index == index:
            self.current = None
        elif last is not None and last.index > index:
            self.current = replace(last, index=last.index - 1)


def check_budget_us(budget_us: int) -> int:
    """Return a whole number of microseconds in range as it is, else raise `BudgetError`."""
    if isinstance(budget_us, bool) or not isinstance(budget_us, int):
        raise BudgetError(
            f"budget_us must be a whole number of microseconds, received {budget_us!r}"
        )
    if not 1 <= budget_us <= MICROSECONDS_MAX:
        raise BudgetError(f"budget_us must lie in 1 .. {MICROSECONDS_MAX}, received {budget_us}")
    return budget_us


def _deviation_of(row: Row) -> int:
    """Return the deviation that a row's percentiles imply, for latencies of a normal distribution."""
    implied = (7 * (row.p90_us - row.p50_us) << 16) // (8 * row.p50_us)
    return min(max(implied, DEVIATION_MIN_Q16), TOLERANCE_MAX_Q16)
