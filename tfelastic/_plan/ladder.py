"""`Ladder`: nested plans, widest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfelastic._plan.keep_plan import KeepPlan
from tfelastic.errors import PlanError


@dataclass(frozen=True)
class Rung:
    """One step of a ladder.

    Attributes:
        name: A short name, such as `w050`.
        width: The share of each group's channels that was asked for; in a ladder of budgets the share of all channels
            that is kept. 0 to 1.
        plan: What the rung keeps of the original model.
    """

    name: str
    width: float
    plan: KeepPlan


@dataclass(frozen=True)
class Ladder:
    """Nested plans for one model, widest first: each rung keeps a prefix of what the rung before it keeps.

    Attributes:
        rungs: The rungs, widest first.

    Examples:
        >>> wide = Rung("w100", 1.0, KeepPlan("0f", {"conv": (2, 0, 1)}))
        >>> ladder = Ladder((wide, Rung("w033", 1 / 3, KeepPlan("0f", {"conv": (2,)}))))
        >>> ladder.names
        ('w100', 'w033')
    """

    rungs: tuple[Rung, ...]

    def __post_init__(self) -> None:
        if not self.rungs:
            raise PlanError("a ladder needs at least one rung")
        if len(set(self.names)) < len(self.rungs):
            raise PlanError(f"the rungs of a ladder need distinct names, received {self.names}")
        for wide, narrow in zip(self.rungs, self.rungs[1:], strict=False):
            _check_nested(wide, narrow)

    @property
    def names(self) -> tuple[str, ...]:
        """The rungs' names, widest first."""
        return tuple(rung.name for rung in self.rungs)

    def rung(self, name: str) -> Rung:
        """Return the rung of that name, or raise `PlanError` with the names there are."""
        for rung in self.rungs:
            if rung.name == name:
                return rung
        raise PlanError(f"the ladder has no rung {name!r}; its rungs are {', '.join(self.names)}")

    def within(self, model: str) -> "Ladder":
        """Return the same ladder as it looks from its widest rung, once that has been cut out.

        Args:
            model: The fingerprint of the widest rung's graph.
        """
        widest = self.rungs[0].plan
        rungs = []
        for rung in self.rungs:
            lengths = {name: len(units) for name, units in rung.plan.keep.items()}
            keep = {name: tuple(range(length)) for name, length in lengths.items()}
            removed = tuple(name for name in rung.plan.removed if name not in widest.removed)
            rungs.append(Rung(rung.name, rung.width, KeepPlan(model, keep, removed)))
        return Ladder(tuple(rungs))

    def to_json(self) -> dict[str, Any]:
        """Return the ladder as plain data."""
        return {
            "rungs": [
                {"name": r.name, "width": r.width, "plan": r.plan.to_json()} for r in self.rungs
            ]
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Ladder":
        """Return the ladder that `to_json` gave."""
        try:
            rungs = [
                (str(r["name"]), float(r["width"]), KeepPlan.from_json(r["plan"]))
                for r in data["rungs"]
            ]
        except (KeyError, TypeError) as cause:
            raise PlanError(
                f"not a ladder: expected an object with 'rungs', received {data!r:.120}"
            ) from cause
        return cls(tuple(Rung(*rung) for rung in rungs))


def _check_nested(wide: Rung, narrow: Rung) -> None:
    if wide.plan.model != narrow.plan.model:
        raise PlanError(f"rungs {wide.name!r} and {narrow.name!r} are plans for different models")
    for name, units in wide.plan.keep.items():
        kept = narrow.plan.keep.get(name)
        if kept is None or units[: len(kept)] != kept:
            raise PlanError(
                f"rung {narrow.name!r} is not nested in {wide.name!r}: group {name!r} keeps no prefix of it"
            )
    if missing := set(wide.plan.removed) - set(narrow.plan.removed):
        raise PlanError(
            f"rung {narrow.name!r} brings back blocks that {wide.name!r} removes: {sorted(missing)}"
        )
