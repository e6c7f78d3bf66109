"""The figures of a finished run of nets pruned by complexity."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.experiments.complexity import (
    budget_comparison,
    direct_training,
    fine_tuning,
    plans,
)
from pipelines.experiments.complexity.budget_comparison import ComparedMethods, MethodFigures
from pipelines.experiments.complexity.recipe import ComplexityRecipe
from pipelines.report import Machine, Metrics
from pipelines.stages import Run


@dataclass(frozen=True, kw_only=True)
class ComplexityMetrics(Metrics):
    """The units of each prunable group, the original net, and the nets of each budget."""

    groups: dict[str, int]
    original: MethodFigures
    comparisons: tuple[ComparedMethods, ...]


def collect(run: Run[ComplexityRecipe], common: Mapping[str, Any]) -> ComplexityMetrics:
    """Gather what the stages found."""
    import tflite_export as tx

    found, spec = run.result(budget_comparison.STAGE), run.recipe.profile
    return ComplexityMetrics(
        **common,
        trainings={
            **run.result(direct_training.STAGE).histories,
            **run.result(fine_tuning.STAGE).histories,
        },
        profile=Machine(tx.describe_host(), spec.threads, spec.runs),
        groups=run.result(plans.STAGE).groups,
        original=found.original,
        comparisons=found.comparisons,
    )
