"""One elastic network: baseline, ladder, joint training, export, bundle, profile and selector.

With a `comparison` section the run also trains the ladder by prune-and-grow and each rung's net independently.
"""

from collections.abc import Mapping
from typing import Any

from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.report import Content, Metrics
from pipelines.stages import Run, Stage, baseline


class ElasticExperiment:
    """The experiment `elastic`."""

    recipe = ElasticRecipe

    @property
    def metrics(self) -> type[Metrics]:
        """What its metrics.json is read into."""
        from pipelines.experiments.elastic.metrics import ElasticMetrics

        return ElasticMetrics

    def stages(self, recipe: ElasticRecipe) -> tuple[Stage[Any], ...]:
        """Return the stages between the data and the report."""
        from pipelines.experiments.elastic import (
            bundle,
            comparison,
            export,
            independent,
            joint_training,
            ladder,
            layer_costs,
            mask_examples,
            profile,
            prune_and_grow,
            selector,
            simulation,
            timing,
        )

        compared = (prune_and_grow, independent, comparison) if recipe.comparison else ()
        masks = (mask_examples,) if recipe.task == "segmentation" else ()
        exported = (export, timing, bundle, profile, selector, simulation, *masks)
        modules = (baseline, ladder, layer_costs, joint_training, *compared, *exported)
        return tuple(module.STAGE for module in modules)

    def check(self, run: Run[ElasticRecipe]) -> None:
        """Try on the untrained model what comes after its training, so that what cannot work fails before."""
        from pipelines.experiments.elastic import export
        from pipelines.experiments.elastic.ladder import check_ladder
        from pipelines.stages.task import task_of
        from pipelines.stages.training import batches_for

        model, recipe = baseline.build(run), run.recipe
        task_of(run, model)
        check_ladder(recipe.ladder, model)
        export.options(recipe)
        batches_for(recipe.elastic, run.training_split, seed=recipe.seed)

    def collect(self, run: Run[ElasticRecipe], common: Mapping[str, Any]) -> Metrics:
        """Gather what the stages found."""
        from pipelines.experiments.elastic.metrics import collect

        return collect(run, common)

    def content(self, metrics: Any) -> Content:
        """Return the report's content."""
        from pipelines.experiments.elastic.report import content

        return content(metrics)


EXPERIMENT = ElasticExperiment()
