"""The recipe of nets pruned by complexity."""

from dataclasses import dataclass, field
from typing import Literal

from pipelines.recipe import Limits, Recipe, Training, idle_without_bundle
from pipelines.records import Record, require, require_whole


@dataclass(frozen=True)
class BudgetComparison(Record):
    """Nets pruned to one budget: by each mode of complexity, and by rank."""

    budget: Limits
    modes: tuple[Literal["params", "flops", "memory", "peak"], ...] = (
        "params",
        "flops",
        "memory",
        "peak",
    )

    def __post_init__(self) -> None:
        once = bool(self.modes) and len(set(self.modes)) == len(self.modes)
        require(once, "modes", "each mode once, and at least one", self.modes)

    def net_name(self, method: str) -> str:
        """Return the name of the net that a method prunes to the budget: `macs0.5-peak`."""
        limits = "-".join(f"{name}{value:g}" for name, value in self.budget.given.items())
        return f"{limits}-{method}"


@dataclass(frozen=True)
class ComplexityPruning(Record):
    """Nets pruned by complexity and trained once, beside train, prune by L2 rank, fine-tune.

    All train by the schedule of `baseline`; fine-tuning does with the peak learning rate `fine_tuning_rate`.
    """

    comparisons: tuple[BudgetComparison, ...]
    sampling: Literal["weighted", "largest"] = "weighted"
    fine_tuning_rate: float = 0.01
    round_to: int = 8
    floor: float = 0.0

    def __post_init__(self) -> None:
        budgets = [comparison.budget for comparison in self.comparisons]
        once = bool(budgets) and len(set(budgets)) == len(budgets)
        require(once, "comparisons", "at least one, and each budget once", budgets)
        require(self.fine_tuning_rate > 0, "fine_tuning_rate", "more than 0", self.fine_tuning_rate)
        require_whole("round_to", self.round_to)
        require(0 <= self.floor <= 1, "floor", "a share from 0 to 1", self.floor)


@dataclass(frozen=True, kw_only=True)
class ComplexityRecipe(Recipe):
    """A run that prunes by complexity and trains directly."""

    baseline: Training = field(default_factory=Training)
    complexity: ComplexityPruning

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.baseline.patience is None,
            "baseline.patience",
            "none, since all nets of the comparison train equally long",
            self.baseline.patience,
        )

    @property
    def idle_keys(self) -> tuple[str, ...]:
        """The keys that are set and have no effect."""
        return (*super().idle_keys, *idle_without_bundle(self))
