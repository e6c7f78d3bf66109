"""The figures of a finished run of nets pruned by complexity."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.experiments.complexity import (
    budget_comparison,
    direct_training,
    fine_tuning,
    plans,
)
from pipelines.experiments.complexity.budget_comparison import (
    ORIGINAL,
    ComparedMethods,
    MethodFigures,
)
from pipelines.experiments.complexity.recipe import ComplexityRecipe
from pipelines.report import Machine, Metrics
from pipelines.stages import Run, baseline
from pipelines.stages.layer_costs import LayerCosts, layer_costs_of


@dataclass(frozen=True, kw_only=True)
class ComplexityMetrics(Metrics):
    """The units of each prunable group, the original net, and the nets of each budget.

    `layers` are those of the original and of each budget's directly trained nets; runs of before they were counted
    have none.
    """

    groups: dict[str, int]
    original: MethodFigures
    comparisons: tuple[ComparedMethods, ...]
    layers: tuple[LayerCosts, ...] = ()


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
        layers=tuple(_layers(run)),
    )


def _layers(run: Run[ComplexityRecipe]) -> Iterator[LayerCosts]:
    """Yield, for each budget, the layers of the original and of what each mode leaves."""
    import tfelastic as te

    graph, traces = te.trace(baseline.load(run)), run.read_json(plans.FILE)
    for comparison in run.recipe.complexity.comparisons:
        kept: dict[str, te.KeepPlan] = {ORIGINAL: te.KeepPlan(graph.fingerprint)}
        kept |= {
            mode: te.PruningTrace.from_json(traces[comparison.net_name(mode)]).plan
            for mode in comparison.modes
        }
        yield layer_costs_of(graph, kept)
