"""`plan`: the largest plan under a budget."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from tfelastic.cost import Budget, spending
from tfelastic.criteria import Criterion, resolve
from tfelastic.errors import BudgetError, PlanError
from tfelastic.graph import Group, LayerGraph, trace
from tfelastic.plan import KeepPlan, Selection
from tfelastic.strategies.base import STRATEGIES
from tfelastic.strategies.staircase import Tread, plan_after, treads


def plan(
    model: keras.Model | LayerGraph,
    *,
    budget: Budget,
    strategy: str = "global",
    criterion: str | Criterion = "magnitude",
    round_to: int = 8,
    floor: float = 0.0,
    protect: Sequence[str] = (),
) -> KeepPlan:
    """Return the largest plan under a budget on the strategy's staircase.

    Channels go in steps of `round_to`, worst first within each group; the strategy says which group steps down
    next. `tfelastic.spending` tells how much of the budget the plan leaves.

    Args:
        model: A functional or sequential model, or its graph.
        budget: What the pruned model may spend.
        strategy: `"global"` ranks the channels of all groups together, `"uniform"` keeps the same share of each.
        criterion: What ranks the channels: a name or a `Criterion`.
        round_to: Channel counts are multiples of this where a group is wide enough: 8 for phones, 4 for
            microcontrollers.
        floor: The share of every group that stays at least, 0 to 1.
        protect: Names of layers whose channels all stay.

    Raises:
        BudgetError: Even the smallest plan spends more than the budget; the text says how much.
        CriterionError: The criterion is unknown or cannot score the model.
        PlanError: A protected layer does not exist.

    Example:
        >>> import keras, tfelastic as te
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(32, 3, name="conv"),
        ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])
        >>> plan = te.plan(model, budget=te.Budget(macs=0.5))
        >>> len(plan.keep["conv"])
        16
    """
    graph = model if isinstance(model, LayerGraph) else trace(model)
    scores = resolve(criterion).score(graph)
    stairs = STRATEGIES.get(strategy).order(
        [
            treads(group, _normalised(scores[group.name]), round_to=round_to, floor=floor)
            for group in _unprotected(graph, protect)
        ]
    )
    ranked = {name: np.argsort(-values, kind="stable") for name, values in scores.items()}
    return _largest(graph, stairs, budget, lambda taken: plan_after(graph, ranked, taken))


def _unprotected(graph: LayerGraph, protect: Sequence[str]) -> list[Group]:
    layers = {step.path for step in graph.steps}
    if unknown := set(protect) - layers:
        raise PlanError(
            f"cannot protect {sorted(unknown)}: model {graph.model.name!r} has no such layers"
        )
    return [g for g in graph.prunable if not any(member.layer in protect for member in g.members)]


def _normalised(scores: np.ndarray) -> np.ndarray:
    mean = float(scores.mean())
    return scores / mean if mean > 0 else scores


def _largest(
    graph: LayerGraph,
    stairs: list[Tread],
    budget: Budget,
    plan_of: Callable[[list[Tread]], KeepPlan],
) -> KeepPlan:
    """Return the first plan down the stairs that fits; costs fall along them, so bisection finds it."""
    whole = budget.spending(Selection(graph))
    limits = budget.limits(whole)

    def fits(count: int) -> bool:
        spent = budget.spending(Selection(graph, plan_of(stairs[:count])))
        return all(spent[name] <= limit for name, limit in limits.items())

    low, high = 0, len(stairs)
    if not fits(high):
        raise BudgetError(_out_of_reach(graph, budget, plan_of(stairs)))
    while low < high:
        middle = (low + high) // 2
        if fits(middle):
            high = middle
        else:
            low = middle + 1
    return plan_of(stairs[:high])


def _out_of_reach(graph: LayerGraph, budget: Budget, smallest: KeepPlan) -> str:
    stand = spending(graph, smallest, budget)
    over = [
        f"{name} of {stand.spent[name]:,.0f} where {limit:,.0f} are allowed "
        f"({stand.spent[name] / limit - 1:.0%} too much)"
        for name, limit in stand.limits.items()
        if stand.spent[name] > limit
    ]
    frozen = sum(1 for group in graph.groups if group.frozen)
    return (
        f"the smallest plan for model {graph.model.name!r} still spends {' and '.join(over)}; allow more, lower "
        f"`floor` or `round_to`, or protect fewer layers ({frozen} of {len(graph.groups)} groups are frozen)"
    )
