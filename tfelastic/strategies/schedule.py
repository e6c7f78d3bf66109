"""`PruningSchedule`: the steps in which a graph can be cut, and the plans that a sequence of steps leads to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Self

import keras
import numpy as np

from tfelastic._cost import Budget, spending
from tfelastic._plan import KeepPlan, Selection
from tfelastic.errors import BudgetError, PlanError
from tfelastic.graph import Group, LayerGraph
from tfelastic.strategies.importance import Importance, best_first
from tfelastic.strategies.rounding import step_of


@dataclass(frozen=True)
class PruningStep:
    """One step: group `group` is cut to its `keep` best units.

    Attributes:
        group: The group's name.
        keep: How many units stay.
        share: `keep` and half of what the step drops, as a share of the group: the width at which rounding to the
            nearest step takes this one.
        score: The mean score of the dropped units.
        loss: What dropping them loses, on the scale of all steps (see `Importance`).
    """

    group: str
    keep: int
    share: float
    score: float
    loss: float


@dataclass(frozen=True)
class BlockRemoval:
    """One step: block `block` is removed.

    Attributes:
        block: The block's name.
        loss: What removing it loses, on the scale of all steps.
    """

    block: str
    loss: float


Step = PruningStep | BlockRemoval


@dataclass(frozen=True, eq=False)
class PruningSchedule:
    """Every step that a graph can still take.

    Attributes:
        graph: The graph.
        groups: For each group that may shrink its steps, widest first.
        order: For each group its units, best first.
        blocks: The blocks that may be removed.
        taken: The steps taken already.
    """

    graph: LayerGraph
    groups: tuple[tuple[PruningStep, ...], ...]
    order: Mapping[str, np.ndarray]
    blocks: tuple[BlockRemoval, ...] = ()
    taken: tuple[Step, ...] = ()

    @classmethod
    def of(
        cls,
        graph: LayerGraph,
        importance: Importance,
        *,
        round_to: int = 8,
        floor: float = 0.0,
        protect: Sequence[str] = (),
    ) -> Self:
        """Return the steps from the unpruned graph down, worst units first within each group.

        Args:
            graph: The graph.
            importance: What its units and blocks are worth.
            round_to: What channel counts are multiples of (see `step_of`).
            floor: The share of every group's units that stays at least.
            protect: Names of layers whose channels all stay, and the blocks with them.

        Raises:
            BudgetError: `round_to` is less than 1.
            PlanError: A protected layer does not exist.
        """
        groups = tuple(
            group_steps(group, importance, round_to=round_to, floor=floor)
            for group in _unprotected(graph, protect)
        )
        blocks = tuple(
            BlockRemoval(block.name, importance.blocks[block.name])
            for block in graph.blocks
            if block.name in importance.blocks and not {block.name, *block.layers} & set(protect)
        )
        order = {name: best_first(values) for name, values in importance.units.items()}
        return cls(graph, groups, order, blocks)

    def after(self, steps: Sequence[Step]) -> Self:
        """Return the schedule once `steps` have been taken."""
        taken = set(steps)
        return replace(
            self,
            groups=tuple(tuple(s for s in group if s not in taken) for group in self.groups),
            blocks=tuple(block for block in self.blocks if block not in taken),
            taken=(*self.taken, *steps),
        )

    def plan(self, steps: Sequence[Step]) -> KeepPlan:
        """Return the plan after `steps`; the units left stay in their old order."""
        every = (*self.taken, *steps)
        return self.plan_of(
            {step.group: step.keep for step in every if isinstance(step, PruningStep)},
            tuple(step.block for step in every if isinstance(step, BlockRemoval)),
        )

    def plan_of(self, counts: Mapping[str, int], removed: Sequence[str] = ()) -> KeepPlan:
        """Return the plan that keeps so many units of each group, in their old order, and removes blocks."""
        return KeepPlan(
            self.graph.fingerprint,
            {
                name: tuple(np.sort(self.order[name][:count]).tolist())
                for name, count in counts.items()
            },
            tuple(removed),
        )

    def steps_within(self, budget: Budget, steps: Iterable[Step]) -> list[Step]:
        """Return the first of `steps`, as many as it takes to fit a budget.

        Costs fall with every step, so bisection finds the place, between what did not fit and twice as many.

        Raises:
            BudgetError: All steps together spend more than the budget; the text says how much.
        """
        limits = budget.limits(budget.spending(Selection(self.graph)))

        def fits(count: int) -> bool:
            spent = budget.spending(Selection(self.graph, self.plan(taken[:count])))
            return all(spent[name] <= limit for name, limit in limits.items())

        ahead = iter(steps)
        taken: list[Step] = []
        low = high = 0
        while not fits(high):
            taken += islice(ahead, len(taken) + 1)
            if len(taken) == high:
                text = _out_of_reach(self.graph, budget, self.plan(taken))
                if self.graph.blocks and not any(isinstance(s, BlockRemoval) for s in taken):
                    text += "; blocks stay with this strategy, 'greedy' removes them as well"
                raise BudgetError(
                    text, "allow more, lower `floor` or `round_to`, or protect fewer layers"
                )
            low, high = high + 1, len(taken)
        while low < high:
            middle = (low + high) // 2
            if fits(middle):
                high = middle
            else:
                low = middle + 1
        return taken[:high]


def group_steps(
    group: Group, importance: Importance, *, round_to: int, floor: float = 0.0
) -> tuple[PruningStep, ...]:
    """Return the steps that `group` can take, widest first.

    Args:
        group: The group.
        importance: What its units are worth.
        round_to: What channel counts are multiples of (see `step_of`).
        floor: The share of the group's units that stays at least.
    """
    step = step_of(group, round_to)
    scores = importance.units[group.name]
    ranked = best_first(scores)
    least = max(step, int(np.ceil(floor * group.size / step)) * step)
    steps, wide = [], group.size
    while (keep := (wide - 1) // step * step) >= least:
        dropped = ranked[keep:wide]
        steps.append(
            PruningStep(
                group.name,
                keep,
                share=(wide + keep) / 2 / group.size,
                score=float(scores[dropped].mean()),
                loss=importance.loss(group.name, dropped),
            )
        )
        wide = keep
    return tuple(steps)


def _unprotected(graph: LayerGraph, protect: Sequence[str]) -> list[Group]:
    layers = {step.path for step in graph.steps}
    if unknown := set(protect) - layers:
        raise PlanError(
            f"cannot protect {sorted(unknown)}: model {graph.model.name!r} has no such layers"
        )
    return [g for g in graph.prunable if not any(member.layer in protect for member in g.members)]


def _out_of_reach(graph: LayerGraph, budget: Budget, smallest: KeepPlan) -> str:
    result = spending(graph, smallest, budget)
    over = [
        f"{name} of {result.spent[name]:,.0f} where {limit:,.0f} are allowed "
        f"({result.spent[name] / limit - 1:.0%} too much)"
        for name, limit in result.limits.items()
        if result.spent[name] > limit
    ]
    frozen = sum(1 for group in graph.groups if group.frozen)
    opaque = [
        step.path
        for step in graph.steps
        if step.opaque and isinstance(step.op, keras.Layer) and step.op.weights
    ]
    names = ", ".join(dict.fromkeys(opaque[:5])) + (", ..." if opaque[5:] else "")
    ruleless = f"; no rule describes {names}, kept as they are: tfelastic.rule adds rules"
    return (
        f"the smallest plan for model {graph.model.name!r} still spends {' and '.join(over)} "
        f"({frozen} of {len(graph.groups)} groups are frozen){ruleless if opaque else ''}"
    )
