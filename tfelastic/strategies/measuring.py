"""Holds a plan to a latency that is measured for real: a prediction finds the plan, a measurement judges it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import keras

from tfelastic._cost import Budget
from tfelastic._plan import KeepPlan, Selection
from tfelastic.errors import BudgetError
from tfelastic.graph import LayerGraph
from tfelastic.surgery import prune

MEASUREMENTS = 5
"""How many candidates are built and measured at most."""


def measured_plan(
    graph: LayerGraph,
    *,
    budget: Budget,
    find: Callable[[Budget], KeepPlan],
    measure: Callable[[keras.Model], float],
) -> KeepPlan:
    """Return the first plan whose built model is measured to be fast enough.

    Where a candidate is too slow, the next one's predicted latency is held to a limit that lies as far below this
    one's as the measurement lay above what is allowed.

    Args:
        graph: The model's graph.
        budget: What the pruned model may spend, `latency_us` among it.
        find: Returns the largest plan under a budget.
        measure: Returns the latency of a pruned model in microseconds.

    Raises:
        BudgetError: The budget has no `latency_us`, `measure` returned no latency, or no candidate met the limit.
    """
    if budget.latency_us is None:
        raise BudgetError("`measure` checks a latency: give the budget a latency_us to hold it to")

    def predicted_us(plan: KeepPlan | None = None) -> float:
        return budget.spending(Selection(graph, plan))["latency_us"]

    whole_us = predicted_us()
    allowed_us = budget.limits(dict.fromkeys(budget.resources, whole_us))["latency_us"]
    share, found = min(allowed_us / whole_us, 1.0), list[float]()
    while len(found) < MEASUREMENTS:
        try:
            candidate = find(replace(budget, latency_us=share))
        except BudgetError as error:
            if not found:
                raise
            raise BudgetError(f"{_missed(graph, allowed_us, found)}, and then {error}") from error
        found.append(float(measure(prune(graph.model, candidate))))
        if not 0 < found[-1] < float("inf"):
            raise BudgetError(
                f"`measure` must return a latency in microseconds, it returned {found[-1]!r} for a candidate"
            )
        if found[-1] <= allowed_us:
            return candidate
        share = predicted_us(candidate) / whole_us * allowed_us / found[-1]
    raise BudgetError(
        f"{_missed(graph, allowed_us, found)}; allow more, or measure on a calmer machine"
    )


def _missed(graph: LayerGraph, allowed_us: float, found: Sequence[float]) -> str:
    latencies = ", ".join(f"{latency:,.0f}" for latency in found)
    return (
        f"{allowed_us:,.0f} us are allowed, but the candidates for model {graph.model.name!r} were measured at "
        f"{latencies} us"
    )
