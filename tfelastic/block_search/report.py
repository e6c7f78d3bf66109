"""What a block search found: the plan, and every candidate's score at every step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from tfelastic._plan import KeepPlan
from tfelastic.errors import PlanError


@dataclass(frozen=True)
class BlockStep:
    """One removed block.

    Attributes:
        removed: The block's name.
        scores: For each block that was tried, the score of the net without it, before any fine-tuning.
        score: The score of the net that the step leaves, after recalibration and fine-tuning.
        spent: What that net spends of each counted resource.
    """

    removed: str
    scores: Mapping[str, float]
    score: float
    spent: Mapping[str, float]

    def __post_init__(self) -> None:
        if self.removed not in self.scores:
            raise PlanError(f"the step removes block {self.removed!r} but has no score for it")

    def to_json(self) -> dict[str, Any]:
        """Return the step as plain data."""
        return {
            "removed": self.removed,
            "scores": dict(self.scores),
            "score": self.score,
            "spent": dict(self.spent),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "BlockStep":
        """Return the step that `to_json` gave."""
        return cls(**data)


@dataclass(frozen=True)
class BlockReport:
    """What `tfelastic.remove_blocks` did.

    Attributes:
        plan: A plan for the original model that removes the same blocks; it carries no fine-tuned weights.
        model: The net after the last step, with its fine-tuned weights; `None` in a report read from JSON.
        candidates: The blocks that could be removed, in execution order.
        kept: The residual parts that are no blocks, each with the reason.
        metric: The name of the metric that the scores are values of.
        higher_is_better: Whether a higher score is better.
        score: The score of the original; `None` where a search failed before it was measured.
        original_cost: What the original spends of each counted resource.
        limits: What the budget allows of it.
        steps: The removed blocks in order of removal.
        refused: The step that was tried last and taken back, since it fell below the floor.
        stopped: Why the search ended.
    """

    plan: KeepPlan
    candidates: tuple[str, ...]
    kept: Mapping[str, str]
    metric: str
    higher_is_better: bool
    score: float | None
    original_cost: Mapping[str, float]
    limits: Mapping[str, float]
    steps: tuple[BlockStep, ...]
    refused: BlockStep | None
    stopped: str
    model: keras.Model | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        removed = tuple(step.removed for step in self.steps)
        if self.plan.removed != removed:
            raise PlanError(f"the plan removes {self.plan.removed}, but the steps {removed}")

    def plan_after(self, count: int) -> KeepPlan:
        """Return the plan that removes the first `count` blocks only.

        Raises:
            PlanError: There are fewer steps than that.
        """
        if not 0 <= count <= len(self.steps):
            raise PlanError(f"the search took {len(self.steps)} steps, so none has number {count}")
        return KeepPlan(self.plan.model, self.plan.keep, self.plan.removed[:count])

    def __str__(self) -> str:
        names = [step.removed for step in self.steps]
        width = max(map(len, ("original", *names)))
        resources = "".join(f"{name:>14}" for name in self.original_cost)
        rows = [
            f"step  {'removed':{width}}  without it  afterwards{resources}",
            _row(0, "original", width, None, self.score, dict.fromkeys(self.original_cost, 1.0)),
        ]
        for number, step in enumerate(self.steps, start=1):
            shares = {
                name: step.spent[name] / self.original_cost[name] for name in self.original_cost
            }
            without = step.scores[step.removed]
            rows.append(_row(number, step.removed, width, without, step.score, shares))
        rows.append(f"stopped: {self.stopped}")
        rows += [f"no block: {name}: {reason}" for name, reason in self.kept.items()]
        return "\n".join(rows)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data, without the model."""
        return {
            "plan": self.plan.to_json(),
            "candidates": list(self.candidates),
            "kept": dict(self.kept),
            "metric": self.metric,
            "higher_is_better": self.higher_is_better,
            "score": self.score,
            "original_cost": dict(self.original_cost),
            "limits": dict(self.limits),
            "steps": [step.to_json() for step in self.steps],
            "refused": self.refused.to_json() if self.refused else None,
            "stopped": self.stopped,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "BlockReport":
        """Return the report that `to_json` gave, without the model."""
        try:
            parts = {
                "plan": KeepPlan.from_json(data["plan"]),
                "candidates": tuple(data["candidates"]),
                "steps": tuple(map(BlockStep.from_json, data["steps"])),
                "refused": BlockStep.from_json(data["refused"]) if data["refused"] else None,
            }
            return cls(**{**data, **parts})
        except (KeyError, TypeError) as cause:
            raise PlanError(f"not a report of a block search: received {data!r:.120}") from cause


def _row(
    number: int,
    name: str,
    width: int,
    without: float | None,
    score: float | None,
    shares: Mapping[str, float],
) -> str:
    scores = (f"{'':10}" if each is None else f"{each:10.4f}" for each in (without, score))
    columns = (*scores, *(f"{share:12.1%}" for share in shares.values()))
    return "  ".join((f"{number:4d}", f"{name:{width}}", *columns))
