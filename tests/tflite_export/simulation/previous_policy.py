"""The policy before loads were told from stalls: the one that today's must switch no more than.

A window of eight runs: the slowdown rises to the second largest lower bound, at most to twice as
much, and falls by a 32nd of the way to the second largest upper bound.
"""

from collections.abc import Sequence

import numpy as np
from tfelastic_runtime import Row


def choose_previously(table: Sequence[Row], latencies_us: np.ndarray, budget_us: int) -> np.ndarray:
    """Return the rows that the previous policy chooses, int64 `[runs]`."""
    one, order = 65536, sorted(range(len(table)), key=lambda i: -table[i].score_order)
    fastest = min(order, key=lambda i: table[i].p90_us)
    slowdown, lows, highs = one, [one] * 8, [one] * 8
    chosen = []
    for row in latencies_us.tolist():
        index = next((i for i in order if table[i].p90_us * slowdown <= budget_us * one), fastest)
        chosen.append(index)
        for bounds, percentile_us in ((lows, table[index].p90_us), (highs, table[index].p50_us)):
            del bounds[0]
            bounds.append(min(max(row[index] * one // percentile_us, one // 16), 64 * one))
        low, high = min(lows[-1], sorted(lows)[-2]), sorted(highs)[-2]
        if low > slowdown:
            slowdown = min(low, 2 * slowdown)
        elif high < slowdown:
            slowdown -= (slowdown - high + 31) // 32
    return np.array(chosen)
