"""Simulating a device: the policy under a trace, beside every static variant and three references."""

import os
from collections.abc import Sequence

import numpy as np
from tfelastic_runtime import Row
from tfelastic_runtime.policy import check_budget_us
from tfelastic_runtime.row import MICROSECONDS_MAX

from tflite_export.errors import SimulationError
from tflite_export.simulation import choosers
from tflite_export.simulation.report import (
    USUAL_NOISE,
    Candidate,
    Noise,
    Outcome,
    SimulationReport,
)
from tflite_export.simulation.traces import RUNS, trace_of


def simulate(
    table: Sequence[Candidate],
    trace: str | os.PathLike[str] | Sequence[float] | np.ndarray,
    *,
    budget_us: int,
    runs: int = RUNS,
    noise: Noise = USUAL_NOISE,
    seed: int = 0,
) -> SimulationReport:
    """Run the policy and its references over one trace.

    A run of a variant takes its median latency times the run's slowdown times the run's noise: one
    noise a run, which would have hit any variant. The first run of a variant after another takes
    its `switch_us` on top.

    Args:
        table: The variants; at least one.
        trace: A trace's name, a file of slowdowns, or the slowdowns (see `trace_of`).
        budget_us: The budget in microseconds.
        runs: The length of a named trace.
        noise: What disturbs single runs.
        seed: Decides trace and noise.

    Raises:
        SimulationError: The table is empty, or the trace is malformed.
        BudgetError: The budget is not in 1 .. 2147483647.

    Examples:
        >>> rows = [Row(2, 1_000, 1_080), Row(1, 400, 432)]
        >>> table = [Candidate("w100", 0.92, rows[0]), Candidate("w050", 0.86, rows[1])]
        >>> simulate(table, "idle", budget_us=1_200, noise=Noise(0, 0))["policy"].of_knowing
        1.0
    """
    if not table:
        raise SimulationError("table: expected at least one variant, received none")
    check_budget_us(budget_us)
    slowdown = trace_of(trace, runs=runs, seed=seed)
    rows = [each.row for each in table]
    latencies_us = _latencies(rows, slowdown, noise, seed)
    oracle = choosers.oracle(rows, latencies_us, budget_us)
    chosen = {
        "policy": choosers.policy(rows, latencies_us, budget_us),
        "kalman": choosers.kalman(rows, latencies_us, budget_us),
        "knowing slowdown": choosers.knowing_slowdown(rows, slowdown, budget_us),
        "oracle": oracle,
        **{each.name: np.full(len(slowdown), index) for index, each in enumerate(table)},
    }
    scores = np.array([each.score for each in table])
    gains = scores - scores[int(np.argmin([row.p50_us for row in rows]))]
    keeps = latencies_us[np.arange(len(slowdown)), oracle] <= budget_us
    switch_us = np.array([row.switch_us for row in rows])

    def outcome(name: str) -> Outcome:
        mine = chosen[name]
        switched = np.concatenate([[False], mine[1:] != mine[:-1]])
        taken_us = latencies_us[np.arange(len(mine)), mine] + switched * switch_us[mine]
        return Outcome(
            name=name,
            misses=float(((taken_us > budget_us) & keeps).sum() / max(keeps.sum(), 1)),
            mean_score=float(scores[mine].mean()),
            of_oracle=_share(gains[mine], gains[oracle]),
            of_knowing=_share(gains[mine], gains[chosen["knowing slowdown"]]),
            switches=int(switched.sum()),
            chosen=mine,
            latencies_us=taken_us,
        )

    return SimulationReport(
        trace=os.fspath(trace) if isinstance(trace, str | os.PathLike) else "slowdowns",
        budget_us=budget_us,
        seed=seed,
        noise=noise,
        kept=float(keeps.mean()),
        table=tuple(table),
        slowdown=slowdown,
        outcomes=tuple(outcome(name) for name in chosen),
    )


def _latencies(rows: Sequence[Row], slowdown: np.ndarray, noise: Noise, seed: int) -> np.ndarray:
    """Return what each variant would take in each run, int64 `[runs, variants]`, rounded up."""
    # Apart from the trace's own draws, so that the noise is the same whatever the trace.
    rng = np.random.default_rng([seed, 1])
    disturbed = slowdown * noise.factors(len(slowdown), rng)
    p50_us = np.array([row.p50_us for row in rows])
    return np.minimum(np.ceil(p50_us * disturbed[:, None]), MICROSECONDS_MAX).astype(np.int64)


def _share(gains: np.ndarray, of: np.ndarray) -> float | None:
    whole = float(of.mean())
    return float(gains.mean()) / whole if whole > 0 else None
