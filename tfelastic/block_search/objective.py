"""`SearchObjective`: when a block search ends, and which candidate it prefers."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tfelastic._cost import Budget, cost_of
from tfelastic._plan import KeepPlan, Selection
from tfelastic.errors import BudgetError, SearchError
from tfelastic.graph import LayerGraph, residuals_kept

_COUNTED = ("params", "macs")


class SearchObjective:
    """A budget, a floor under the score, and what candidates are weighed by.

    Args:
        graph: The original model.
        budget: What may be spent, how many blocks to remove, or `None`: as many as the floor allows.
        floor: The worst score that a step may leave.
        per: What candidates are weighed by, `"block"` or `"saving"`.
        higher_is_better: Whether a higher score is better.

    Raises:
        BudgetError: Budget, floor or weighing are malformed, or the budget is out of reach.
        SearchError: The model has no blocks.
    """

    def __init__(
        self,
        graph: LayerGraph,
        budget: Budget | int | None,
        floor: float | None,
        per: Literal["block", "saving"],
        *,
        higher_is_better: bool = True,
    ) -> None:
        if not graph.blocks:
            raise SearchError(_no_blocks(graph))
        if budget is None and floor is None:
            raise BudgetError("give a budget, a number of blocks to remove, or a floor")
        if per not in ("block", "saving"):
            raise BudgetError(f"per must be 'block' or 'saving', received {per!r}")
        self.graph = graph
        self._budget = budget if isinstance(budget, Budget) else None
        self._count = None if isinstance(budget, Budget) else budget
        self._floor = floor
        self._per = per
        self._sign = 1 if higher_is_better else -1
        self.original_cost = self.spent(())
        self.limits = self._budget.limits(self.original_cost) if self._budget else {}
        every = tuple(block.name for block in graph.blocks)
        if self._count is not None and not 1 <= self._count <= len(every):
            raise BudgetError(
                f"model {graph.model.name!r} has {len(every)} blocks to remove, but {self._count} were asked for"
            )
        if over := self._overspent(every):
            raise BudgetError(f"even without all of its {len(every)} blocks, {over}; allow more")

    def to_json(self) -> dict[str, Any]:
        """Return the objective as plain data."""
        return {
            "limits": self.limits,
            "count": self._count,
            "floor": self._floor,
            "per": self._per,
        }

    def plan(self, removed: Sequence[str]) -> KeepPlan:
        """Return the plan that removes these blocks from the original."""
        return KeepPlan(self.graph.fingerprint, removed=tuple(removed))

    def spent(self, removed: Sequence[str]) -> dict[str, float]:
        """Return what the net without these blocks spends: parameters, MACs, and what the budget limits."""
        selection = Selection(self.graph, self.plan(removed))
        cost = cost_of(selection)
        counted: dict[str, float] = {name: getattr(cost, name) for name in _COUNTED}
        return counted | (self._budget.spending(selection) if self._budget else {})

    def reached(self, removed: Sequence[str]) -> str | None:
        """Return a sentence that says how the objective is met; `None` where it is not."""
        if self._count is not None and len(removed) >= self._count:
            return f"{len(removed)} blocks are removed, as asked for"
        if self._budget and not self._overspent(removed):
            return "the budget is met"
        return None

    @property
    def binding(self) -> bool:
        """Whether the objective has to be met; with a floor alone, any number of steps will do."""
        return self._count is not None or self._budget is not None

    def shortfall(self, removed: Sequence[str]) -> str:
        """Return what is missing when no candidate is left."""
        if self._count is not None:
            return f"only {len(removed)} of {self._count} blocks could be removed"
        return f"no block is left to remove, and {self._overspent(removed)}"

    def check_floor(self, score: float) -> None:
        """Make sure that the original is above the floor."""
        if not self.above_floor(score):
            raise BudgetError(
                f"the model {self.graph.model.name!r} has a score of {score:.4f}, worse than the floor of "
                f"{self._floor}; give another floor"
            )

    def above_floor(self, score: float) -> bool:
        """Whether a step may leave this score."""
        return self._floor is None or self._sign * (score - self._floor) >= 0

    def choose(self, measured: Mapping[str, float], score: float, removed: Sequence[str]) -> str:
        """Return the candidate to drop.

        Args:
            measured: The score without each candidate.
            score: The score with all of them.
            removed: The blocks that are gone already.
        """
        before = self.spent(removed)
        resource = self._scarcest(before)
        total = self.original_cost[resource]
        # What is saved beyond the budget serves nobody, so it makes up for no loss.
        needed = before[resource] - self.limits.get(resource, 0.0)

        def rank(name: str) -> tuple[float, float]:
            loss = self._sign * (score - measured[name])
            saved = before[resource] - self.spent((*removed, name))[resource]
            if self._per == "saving":  # A gain counts for more where it saves more, too.
                useful = min(saved, needed) / total
                loss = loss / max(useful, 1e-12) if loss > 0 else loss * useful
            return loss, -saved

        return min(measured, key=rank)

    def _scarcest(self, spent: Mapping[str, float]) -> str:
        """Return the budgeted resource that is farthest above its limit; parameters where none is budgeted."""
        return max(
            self.limits, key=lambda name: spent[name] / self.limits[name], default=_COUNTED[0]
        )

    def _overspent(self, removed: Sequence[str]) -> str:
        """Return in words what the net without these blocks spends too much; empty where nothing."""
        spent = self.spent(removed)
        return " and ".join(
            f"the model {self.graph.model.name!r} spends {name} of {spent[name]:,.0f} where {limit:,.0f} are allowed"
            for name, limit in self.limits.items()
            if spent[name] > limit
        )


def _no_blocks(graph: LayerGraph) -> str:
    kept = [f"{name}: {reason}" for name, reason in residuals_kept(graph).items()]
    return (
        f"model {graph.model.name!r} has no blocks to remove, that is, no residual parts whose input and output have "
        f"the same shape; {'; '.join(kept) or 'it adds no tensors of common origin'}"
    )
