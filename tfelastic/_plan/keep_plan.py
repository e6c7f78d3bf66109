"""`KeepPlan`: what a pruned model keeps of its original. The only currency between algorithms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfelastic.errors import PlanError
from tfelastic.graph import Group, LayerGraph


@dataclass(frozen=True)
class KeepPlan:
    """Which channels of each group are kept, in which order, and which blocks are removed.

    Attributes:
        model: The fingerprint of the graph that the plan was made for.
        keep: For each pruned or re-ordered group its kept units, in their new order; other groups are kept unchanged.
        removed: The names of the removed blocks.

    Examples:
        >>> plan = KeepPlan(model="0f", keep={"conv": (2, 0)})
        >>> KeepPlan.from_json(plan.to_json()) == plan
        True
    """

    model: str
    keep: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, units in self.keep.items():
            if not units:
                raise PlanError(f"the plan keeps nothing of group {name!r}; keep at least one unit")
            if len(set(units)) < len(units) or min(units) < 0:
                raise PlanError(
                    f"the plan's units for group {name!r} must be distinct and not negative: {units}"
                )

    def check(self, graph: LayerGraph) -> None:
        """Make sure that the plan belongs to `graph` and can be carried out on it.

        Raises:
            PlanError: It was made for another model, or names groups, units or blocks that cannot be pruned so.
        """
        groups = {group.name: group for group in graph.groups}
        blocks = {block.name for block in graph.blocks}
        if self.model != graph.fingerprint:
            raise PlanError(
                f"the plan was made for a model of fingerprint {self.model}, but model {graph.model.name!r} has "
                f"{graph.fingerprint}; {self._first_difference(groups, blocks)}make a plan for this model, or load "
                "the one the plan was made for"
            )
        for name, units in self.keep.items():
            if name not in groups:
                raise PlanError(
                    f"the plan names a group {name!r}; model {graph.model.name!r} has {', '.join(groups)}"
                )
            _check_group(groups[name], units)
        if unknown := set(self.removed) - blocks:
            raise PlanError(
                f"the plan removes blocks {sorted(unknown)}; the model's blocks are {sorted(blocks)}"
            )

    def _first_difference(self, groups: Mapping[str, Group], blocks: set[str]) -> str:
        for name, units in self.keep.items():
            if name not in groups:
                return f"it has no group {name!r}; "
            if max(units) >= groups[name].size:
                return f"its group {name!r} has {groups[name].size} units and the plan keeps number {max(units)}; "
        for name in self.removed:
            if name not in blocks:
                return f"it has no block {name!r}; "
        return "its layers have other names or shapes; "

    def then(self, later: "KeepPlan") -> "KeepPlan":
        """Return the one plan that does what this one and, on the pruned model, `later` do.

        Groups are known by name. Where this plan unties channels, such as those of a grouped convolution that it
        leaves one group of, the pruned model's groups are others, and no one plan does what the two do in turn.

        Raises:
            PlanError: `later` keeps units that this plan drops.
        """
        keep = dict(self.keep)
        for name, units in later.keep.items():
            before = keep.get(name)
            if before is not None and max(units) >= len(before):
                raise PlanError(
                    f"the later plan keeps unit {max(units)} of group {name!r}, which has {len(before)} left"
                )
            keep[name] = units if before is None else tuple(before[unit] for unit in units)
        return KeepPlan(self.model, keep, self.removed + later.removed)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {
            "model": self.model,
            "keep": {name: list(units) for name, units in self.keep.items()},
            "removed": list(self.removed),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "KeepPlan":
        """Return the plan that `to_json` gave."""
        try:
            keep = {
                str(name): tuple(int(unit) for unit in units)
                for name, units in data["keep"].items()
            }
            return cls(str(data["model"]), keep, tuple(map(str, data.get("removed", ()))))
        except (KeyError, TypeError, AttributeError) as cause:
            raise PlanError(
                f"not a plan: expected an object with 'model', 'keep' and 'removed', received {data!r:.120}"
            ) from cause


def _check_group(group: Group, units: tuple[int, ...]) -> None:
    if max(units) >= group.size:
        raise PlanError(
            f"the plan keeps unit {max(units)} of group {group.name!r}, which has {group.size}"
        )
    if group.frozen and units != tuple(range(group.size)):
        raise PlanError(
            f"the plan changes group {group.name!r}, which is frozen: {'; '.join(group.frozen)}"
        )
    if not group.permutable and list(units) != sorted(units):
        raise PlanError(
            f"the plan re-orders group {group.name!r}, but a layer cuts or reverses its channels by position; "
            "keep them in ascending order"
        )
