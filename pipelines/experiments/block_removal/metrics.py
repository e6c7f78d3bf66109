"""The figures of a finished removal of blocks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.experiments.block_removal import block_search, depth_vs_width, final_training
from pipelines.experiments.block_removal.block_search import BUDGET, DIRECT, BlockSearch
from pipelines.experiments.block_removal.depth_vs_width import DepthStep
from pipelines.experiments.block_removal.final_training import FULL, PRUNED, FinalNet
from pipelines.experiments.block_removal.recipe import BlockRemovalRecipe
from pipelines.report import Machine, Metrics
from pipelines.stages import Run, baseline
from pipelines.stages.layer_costs import LayerCosts, layer_costs_of


@dataclass(frozen=True, kw_only=True)
class BlockRemovalMetrics(Metrics):
    """The searches by name, every step's speed, and the nets after the final training.

    Attributes:
        validation_images: How many held-out training examples measured candidates.
        test_examples: How many test examples measured each step's net.
        test_baseline: The baseline's score on these test examples.
        searches: The searches by name.
        depth_vs_width: The net of every step beside a width cut.
        nets: The baseline, the full net trained on, and the pruned net.
        layers: The layers of the full net and of the pruned one; `None` in runs of before they were counted.
    """

    validation_images: int
    test_examples: int
    test_baseline: float
    searches: dict[str, BlockSearch]
    depth_vs_width: tuple[DepthStep, ...]
    nets: tuple[FinalNet, ...]
    layers: LayerCosts | None = None


def collect(run: Run[BlockRemovalRecipe], common: Mapping[str, Any]) -> BlockRemovalMetrics:
    """Gather what the stages found."""
    import tfelastic as te
    import tflite_export as tx

    searches = {name: run.result(stage) for name, stage in block_search.STAGES.items()}
    graph = te.trace(baseline.load(run))
    plans = {
        "full": te.KeepPlan(graph.fingerprint),
        "pruned": te.BlockReport.from_json(searches[BUDGET].search).plan,
    }
    final, spec = run.result(final_training.STAGE), run.recipe.profile
    return BlockRemovalMetrics(
        **common,
        trainings={
            "the full net, trained on": final.histories[FULL],
            "the pruned net": final.histories[PRUNED],
        },
        profile=Machine(tx.describe_host(), spec.threads, spec.runs),
        validation_images=run.recipe.block_removal.validation_images,
        test_examples=searches[DIRECT].test_examples,
        test_baseline=searches[DIRECT].baseline,
        searches=searches,
        depth_vs_width=run.result(depth_vs_width.STAGE).steps,
        nets=final.nets,
        layers=layer_costs_of(graph, plans),
    )
