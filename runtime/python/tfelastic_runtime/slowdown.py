"""How much slower the device is than its table says, in integers alone (`runtime/SPEC.md`, section 4).

One number scales the table of all variants; it is learned from whichever runs (ALERT: Wan et al., USENIX
ATC 2020). Three facts decide how:

* A run can be slow by accident, but not fast by accident. So one clearly fast run ends a load, and
  one clearly slow run changes nothing until a second confirms it.
* Where slow runs have proved lasting before, the next such run is believed at once, until two such
  runs in succession were none.
* Where the slowdown was lowered and the next runs are slow again, the table does not fit this
  variant. Each time the number of fast runs that lowering takes doubles.

Between such changes the slowdown is a running mean, and predictions have a margin in proportion to the
differences between successive runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfelastic_runtime.row import MICROSECONDS_MAX, Row

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


@dataclass(slots=True)
class Slowdown:
    """How much slower the device is now than when its table was measured.

    All `_q16` numbers are in fixed point: 65536 is 1.0. A run changes the estimate in place: making a
    new value of so many fields would be most of what an inference costs beside the variant's run.

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

    def predict_us(self, table: Sequence[Row]) -> list[int]:
        """Return the latency in microseconds that each variant's next run will keep, rounded up.

        At least nine runs of ten keep it, by the table's spread or by the present one.
        """
        level = self.q16
        upper = level + (level * self.spread_q16 >> 16)
        return [(max(row.p90_us * level, row.p50_us * upper) + ONE_Q16 - 1) >> 16 for row in table]

    def observe(self, row: Row, observed_us: int) -> None:
        """Learn that the variant of `row` took `observed_us` microseconds, without switching to it."""
        observed = min(max(observed_us, 1), MICROSECONDS_MAX)
        run = min(max((observed << 16) // row.p50_us, SLOWDOWN_MIN_Q16), SLOWDOWN_MAX_Q16)
        if not self.runs:
            self.runs, self.deviation_q16 = 1, _deviation_of(row)
        if self.latest_p50_us != row.p50_us:
            # The tables of two variants may err in different ways, which is no noise.
            self.latest_q16, self.latest_p50_us = 0, row.p50_us
        tolerance = min(max(4 * self.deviation_q16, TOLERANCE_MIN_Q16), TOLERANCE_MAX_Q16)
        band = self.mean_q16 * tolerance >> 16
        if run > self.mean_q16 + band:
            self._observe_slow(run, tolerance)
        elif run < self.mean_q16 - band:
            self._observe_fast(run, tolerance)
        else:
            self._observe_usual(run, tolerance)

    def _observe_slow(self, run: int, tolerance: int) -> None:
        if self.trial:
            patience = min(2 * self.patience, PATIENCE_MAX)
            self._learn(run, tolerance)
            self.patience, self.trial = patience, 0
            self._move_to(run)
        elif self.before_q16:
            self._learn(run, tolerance)
            self._move_to(run)
        elif self.slow_q16:
            factor = (self.slow_q16 << 16) // self.mean_q16
            self._learn(run, tolerance)
            self._move_to(min(run, self.slow_q16))
            self.pending_q16 = factor
        elif run << 16 <= self.trusted_q16 * self.mean_q16:
            before = self.mean_q16
            self._learn(run, tolerance)
            self._move_to(run)
            self.before_q16 = before
        else:
            self.slow_q16, self.fast_runs = run, 0

    def _observe_fast(self, run: int, tolerance: int) -> None:
        self._learn(run, tolerance)
        if self.before_q16:
            self.doubts += 1
            if self.doubts == DOUBTS:
                self.trusted_q16 = (self.mean_q16 << 16) // self.before_q16 - 1
                self.doubts = 0
            self._move_to(self.before_q16)
        elif self.fast_runs + 1 >= self.patience:
            self._move_to(run)
            self.trial = TRIAL_RUNS
        else:
            self.slow_q16 = 0
            self.fast_runs += 1

    def _observe_usual(self, run: int, tolerance: int) -> None:
        runs = self.runs = min(self.runs + 1, FALL_RUNS)
        mean = self.mean_q16
        if run >= mean:
            mean += (run - mean) // min(runs, RISE_RUNS)
        else:
            mean -= (mean - run) // runs
        self.mean_q16 = mean
        if self.before_q16:
            self.doubts = 0
        if self.pending_q16 and runs >= LASTING_RUNS:
            # The next load may be somewhat heavier than the heaviest until now.
            trusted = self.pending_q16 + (self.pending_q16 >> 3)
            self.trusted_q16 = max(self.trusted_q16, trusted)
            self.pending_q16 = self.doubts = 0
        self._learn(run, tolerance)
        self.q16 = min(max(self.q16, mean), mean + (mean * self.spread_q16 >> 17))
        self.slow_q16 = self.before_q16 = self.fast_runs = 0

    def _learn(self, run: int, tolerance: int) -> None:
        """Learn how much successive runs of one variant differ; one run less is on trial."""
        latest, deviation = self.latest_q16, self.deviation_q16
        if latest:
            difference = min((abs(run - latest) << 16) // max(run, latest), tolerance)
            step = abs(difference - deviation) >> DEVIATION_SHIFT
            deviation += step if difference >= deviation else -step
            self.deviation_q16 = deviation
        self.latest_q16 = run
        self.spread_q16 = min(max(self.spread_q16, deviation), 4 * deviation // 3)
        if self.trial:
            self.trial -= 1
            if not self.trial:
                self.patience = 1

    def _move_to(self, level_q16: int) -> None:
        self.q16 = self.mean_q16 = level_q16
        self.runs = 1
        self.slow_q16 = self.before_q16 = self.pending_q16 = self.fast_runs = 0


def _deviation_of(row: Row) -> int:
    """Return the deviation that a row's percentiles imply, for latencies of a normal distribution."""
    implied = (7 * (row.p90_us - row.p50_us) << 16) // (8 * row.p50_us)
    return min(max(implied, DEVIATION_MIN_Q16), TOLERANCE_MAX_Q16)
