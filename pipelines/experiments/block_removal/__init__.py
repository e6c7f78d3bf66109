"""Residual blocks removed by direct measurement, in the orders that it is compared with, and down to a budget."""

from collections.abc import Mapping
from typing import Any

from pipelines.experiments.block_removal.recipe import BlockRemovalRecipe
from pipelines.report import Content, Metrics
from pipelines.stages import Run, Stage, baseline


class BlockRemovalExperiment:
    """The experiment `block_removal`."""

    recipe = BlockRemovalRecipe

    @property
    def metrics(self) -> type[Metrics]:
        """What its metrics.json is read into."""
        from pipelines.experiments.block_removal.metrics import BlockRemovalMetrics

        return BlockRemovalMetrics

    def stages(self, recipe: BlockRemovalRecipe) -> tuple[Stage[Any], ...]:
        """Return the stages between the data and the report."""
        from pipelines.experiments.block_removal import (
            block_search,
            depth_vs_width,
            final_training,
        )

        searches = block_search.STAGES.values()
        return (baseline.STAGE, *searches, final_training.STAGE, depth_vs_width.STAGE)

    def check(self, run: Run[BlockRemovalRecipe]) -> None:
        """Check both aims of the searches, so that what is out of reach fails before the trainings."""
        import tfelastic as te

        spec, graph = run.recipe.block_removal, te.trace(baseline.build(run))
        for budget in (te.Budget(**spec.budget.given), spec.compared):
            te.SearchObjective(graph, budget, None, spec.per)

    def collect(self, run: Run[BlockRemovalRecipe], common: Mapping[str, Any]) -> Metrics:
        """Gather what the stages found."""
        from pipelines.experiments.block_removal.metrics import collect

        return collect(run, common)

    def content(self, metrics: Any) -> Content:
        """Return the report's content."""
        from pipelines.experiments.block_removal.report import content

        return content(metrics)


EXPERIMENT = BlockRemovalExperiment()
