"""Who chooses: the device's policy, and the references that stand beside it.

Each chooser sees the table and the budget, and after each run the latency of the variant that it
chose itself. The references see more (the slowdown, or every latency), or estimate in another way.
"""

import math
from collections.abc import Sequence

import numpy as np
from tfelastic_runtime import Policy, Row

Z90 = 1.2816
"""The standard normal distribution's 90 % quantile."""


def policy(table: Sequence[Row], latencies_us: np.ndarray, budget_us: int) -> np.ndarray:
    """Return the rows that the device's policy chooses (`runtime/SPEC.md`, section 4).

    Args:
        table: One row per variant.
        latencies_us: What each variant would take in each run, int64 `[runs, variants]`.
        budget_us: The budget in microseconds.

    Returns:
        One index per run, int64 `[runs]`.
    """
    state = Policy(table)
    chosen = []
    for row in latencies_us.tolist():
        index = state.choose(budget_us).index
        state.observe(row[index])
        chosen.append(index)
    return np.array(chosen)


def kalman(
    table: Sequence[Row], latencies_us: np.ndarray, budget_us: int, *, deviations: float = Z90
) -> np.ndarray:
    """Return the rows that ALERT's Kalman filter chooses, with ALERT's own constants.

    One global slowdown, normally distributed, is filtered from each run's latency over its variant's
    median; the process noise adapts to the innovation. The best variant whose 90 % quantile keeps
    the budget runs, else the fastest (Wan et al., "ALERT: Accurate Learning for Energy and
    Timeliness", USENIX ATC 2020, section 3.3).

    Args:
        table: One row per variant.
        latencies_us: What each variant would take in each run, int64 `[runs, variants]`.
        budget_us: The budget in microseconds.
        deviations: How many standard deviations above the mean must keep the budget.
    """
    p50 = np.array([row.p50_us for row in table], float)
    order = _best_first(table)
    fastest = int(p50.argmin())
    mean, variance, gain, innovation = 1.0, 0.1, 0.5, 0.0
    process_least, measurement, memory = 0.1, 0.001, 0.3
    process = process_least
    chosen = []
    for row in latencies_us.tolist():
        upper = mean + deviations * math.sqrt(variance)
        index = next((each for each in order if p50[each] * upper <= budget_us), fastest)
        chosen.append(index)
        process = max(process_least, memory * process + (1 - memory) * (gain * innovation) ** 2)
        predicted = (1 - gain) * variance + process
        gain = predicted / (predicted + measurement)
        variance = predicted
        innovation = row[index] / p50[index] - mean
        mean += gain * innovation
    return np.array(chosen)


def knowing_slowdown(table: Sequence[Row], slowdown: np.ndarray, budget_us: int) -> np.ndarray:
    """Return the rows of a chooser that knows each run's slowdown, but not its noise."""
    p90 = np.array([row.p90_us for row in table])
    keeps = p90 * slowdown[:, None] <= budget_us
    return _best_of(table, keeps, int(p90.argmin()))


def oracle(table: Sequence[Row], latencies_us: np.ndarray, budget_us: int) -> np.ndarray:
    """Return the rows of a chooser that knows each run's latency before it runs."""
    fastest = int(np.argmin([row.p50_us for row in table]))
    return _best_of(table, latencies_us <= budget_us, fastest)


def _best_first(table: Sequence[Row]) -> list[int]:
    return sorted(range(len(table)), key=lambda i: (-table[i].score_order, table[i].p90_us, i))


def _best_of(table: Sequence[Row], keeps: np.ndarray, fastest: int) -> np.ndarray:
    """Return per run the best row that `keeps` allows, bool `[runs, variants]`, else the fastest."""
    order = np.array(_best_first(table))
    ordered = keeps[:, order]
    return np.where(ordered.any(1), order[ordered.argmax(1)], fastest)
