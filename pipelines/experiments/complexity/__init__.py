"""Nets pruned by complexity and trained once, beside train, prune by rank, fine-tune."""

from collections.abc import Mapping
from typing import Any

from pipelines.experiments.complexity.recipe import ComplexityRecipe
from pipelines.report import Content, Metrics
from pipelines.stages import Run, Stage, baseline


class ComplexityExperiment:
    """The experiment `complexity`."""

    recipe = ComplexityRecipe

    @property
    def metrics(self) -> type[Metrics]:
        """What its metrics.json is read into."""
        from pipelines.experiments.complexity.metrics import ComplexityMetrics

        return ComplexityMetrics

    def stages(self, recipe: ComplexityRecipe) -> tuple[Stage[Any], ...]:
        """Return the stages between the data and the report."""
        from pipelines.experiments.complexity import (
            budget_comparison,
            direct_training,
            fine_tuning,
            plans,
        )

        modules = (plans, direct_training, baseline, fine_tuning, budget_comparison)
        return tuple(module.STAGE for module in modules)

    def check(self, run: Run[ComplexityRecipe]) -> None:
        """Do nothing: the stage `plans` comes before the trainings and fails where a budget is out of reach."""

    def collect(self, run: Run[ComplexityRecipe], common: Mapping[str, Any]) -> Metrics:
        """Gather what the stages found."""
        from pipelines.experiments.complexity.metrics import collect

        return collect(run, common)

    def content(self, metrics: Any) -> Content:
        """Return the report's content."""
        from pipelines.experiments.complexity.report import content

        return content(metrics)


EXPERIMENT = ComplexityExperiment()
