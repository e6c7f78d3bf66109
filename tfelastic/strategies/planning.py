"""`plan`: the largest plan under a budget."""

from collections.abc import Callable, Sequence

import keras

from tfelastic import criteria
from tfelastic._cost import Budget
from tfelastic._plan import KeepPlan
from tfelastic.criteria import Criterion
from tfelastic.graph import LayerGraph, trace
from tfelastic.strategies.base import Strategy, resolve
from tfelastic.strategies.importance import Importance
from tfelastic.strategies.measuring import measured_plan
from tfelastic.strategies.schedule import PruningSchedule


def plan(
    model: keras.Model | LayerGraph,
    *,
    budget: Budget,
    strategy: str | Strategy = "global",
    criterion: str | Criterion | None = None,
    round_to: int = 8,
    floor: float = 0.0,
    protect: Sequence[str] = (),
    measure: Callable[[keras.Model], float] | None = None,
) -> KeepPlan:
    """Return the largest plan under a budget along the strategy's steps.

    Channels go in steps of `round_to`, worst first within each group; the strategy says which group is cut next.
    `tfelastic.spending` says how much of the budget the plan leaves.

    Args:
        model: A functional or sequential model, or its graph.
        budget: What the pruned model may spend.
        strategy: `"global"` ranks the channels of all groups together, `"uniform"` keeps the same share of each,
            `"complexity"` draws groups by their share of the network's complexity; or a strategy with options of
            its own, such as `tfelastic.Complexity(mode="peak")`.
        criterion: What ranks the channels: a name or a `Criterion`. By default magnitude, and for `"complexity"`
            nothing: the channels that come first stay.
        round_to: Channel counts are multiples of this where a group is wide enough: 8 for phones, 4 for
            microcontrollers.
        floor: The share of every group that stays at least, 0 to 1.
        protect: Names of layers whose channels all stay.
        measure: Measures the latency of a pruned model for real, in microseconds. Where that exceeds the budget's
            `latency_us`, the predicted latency is held to a lower limit, in proportion, and the search goes on, up to
            five measurements in all.

    Raises:
        BudgetError: Even the smallest plan spends more than the budget, the text says how much; or `measure` found
            every candidate too slow, the text says what it measured.
        CriterionError: The criterion is unknown or cannot score the model.
        PlanError: A protected layer does not exist.

    Examples:
        >>> import keras, tfelastic as te
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(32, 3, name="conv"),
        ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])
        >>> plan = te.plan(model, budget=te.Budget(macs=0.5))
        >>> len(plan.keep["conv"])
        16
    """
    graph = model if isinstance(model, LayerGraph) else trace(model)
    chosen = resolve(strategy)
    importance = Importance.of(
        graph, criteria.resolve(criterion or chosen.criterion), blocks=chosen.removes_blocks
    )
    schedule = PruningSchedule.of(
        graph, importance, round_to=round_to, floor=floor, protect=protect
    )

    def find(limited: Budget) -> KeepPlan:
        return schedule.plan(schedule.steps_within(limited, chosen.order_steps(schedule, limited)))

    if measure is None:
        return find(budget)
    return measured_plan(graph, budget=budget, find=find, measure=measure)
