"""A staircase: plans that shrink one step of one group at a time, in a strategy's order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfelastic.graph import Group, LayerGraph
from tfelastic.plan import KeepPlan
from tfelastic.strategies.rounding import step_of


@dataclass(frozen=True)
class Tread:
    """One step down: group `group` is cut to its `keep` best units.

    Attributes:
        group: The group's name.
        keep: How many units stay.
        share: `keep` and half of what the step drops, as a share of the group: where rounding tips over.
        score: The mean score of the dropped units.
    """

    group: str
    keep: int
    share: float
    score: float


def treads(group: Group, scores: np.ndarray, *, round_to: int, floor: float) -> list[Tread]:
    """Return the steps down that `group` can take, widest first.

    Args:
        group: The group.
        scores: A score per unit, `[units]`.
        round_to: What channel counts are multiples of (see `step_of`).
        floor: The share of the group's units that stays at least.
    """
    step = step_of(group, round_to)
    ranked = np.sort(scores)[::-1]
    least = max(step, int(np.ceil(floor * group.size / step)) * step)
    steps, wide = [], group.size
    while (keep := (wide - 1) // step * step) >= least:
        steps.append(
            Tread(group.name, keep, (wide + keep) / 2 / group.size, float(ranked[keep:wide].mean()))
        )
        wide = keep
    return steps


def plan_after(
    graph: LayerGraph, order: Mapping[str, np.ndarray], taken: Sequence[Tread]
) -> KeepPlan:
    """Return the plan that results once the treads `taken` have been taken; units stay in their old order.

    Args:
        graph: The graph.
        order: For each group its units, best first.
        taken: The steps taken so far.
    """
    keep = {tread.group: tread.keep for tread in taken}
    return KeepPlan(
        graph.fingerprint,
        {name: tuple(sorted(order[name][:count].tolist())) for name, count in keep.items()},
    )
