"""A staircase: plans that shrink one step of one group at a time, in the order that a strategy gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tfelastic.errors import PlanError
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


@dataclass(frozen=True, eq=False)
class Staircase:
    """Every step down that a graph's groups can take.

    Attributes:
        graph: The graph.
        groups: For each group that may shrink its treads, widest first.
        order: For each group its units, best first.
    """

    graph: LayerGraph
    groups: tuple[tuple[Tread, ...], ...]
    order: Mapping[str, np.ndarray]

    @classmethod
    def of(
        cls,
        graph: LayerGraph,
        scores: Mapping[str, np.ndarray],
        *,
        round_to: int = 8,
        floor: float = 0.0,
        protect: Sequence[str] = (),
    ) -> Self:
        """Return the steps that lead down from the whole graph, worst units first within each group.

        Args:
            graph: The graph.
            scores: A score per unit, `[units]`, for every prunable group.
            round_to: What channel counts are multiples of (see `step_of`).
            floor: The share of every group's units that stays at least.
            protect: Names of layers whose channels all stay.

        Raises:
            BudgetError: `round_to` is less than 1.
            PlanError: A protected layer does not exist.
        """
        groups = tuple(
            tuple(treads(group, normalised(scores[group.name]), round_to=round_to, floor=floor))
            for group in _unprotected(graph, protect)
        )
        order = {name: np.argsort(-values, kind="stable") for name, values in scores.items()}
        return cls(graph, groups, order)

    def plan(self, taken: Sequence[Tread]) -> KeepPlan:
        """Return the plan once the treads `taken` have been taken; the units left stay in their old order."""
        keep = {tread.group: tread.keep for tread in taken}
        return KeepPlan(
            self.graph.fingerprint,
            {
                name: tuple(sorted(self.order[name][:count].tolist()))
                for name, count in keep.items()
            },
        )


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


def normalised(scores: np.ndarray) -> np.ndarray:
    """Return one group's scores divided by their mean, so that groups compare; all zeros stay as they are."""
    mean = float(scores.mean())
    return scores / mean if mean > 0 else scores.astype(float)


def _unprotected(graph: LayerGraph, protect: Sequence[str]) -> list[Group]:
    layers = {step.path for step in graph.steps}
    if unknown := set(protect) - layers:
        raise PlanError(
            f"cannot protect {sorted(unknown)}: model {graph.model.name!r} has no such layers"
        )
    return [g for g in graph.prunable if not any(member.layer in protect for member in g.members)]
