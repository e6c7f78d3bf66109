"""Count what every layer costs in each rung, and note which blocks a rung keeps."""

from pipelines.experiments.elastic import ladder
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.stages import Outcome, Run, Stage, baseline
from pipelines.stages.layer_costs import LayerCosts, layer_costs_of


def run(run: Run[ElasticRecipe]) -> Outcome[LayerCosts]:
    """Count the layers of every rung; nothing is built."""
    import tfelastic as te

    plans = {rung.name: rung.plan for rung in ladder.planned(run).rungs}
    found = layer_costs_of(te.trace(baseline.load(run)), plans)
    return Outcome(f"{len(found.layers)} layers in {len(found.rungs)} rungs", found)


STAGE = Stage(
    "layer_costs", run, LayerCosts, stages=(baseline.STAGE, ladder.STAGE), packages=("tensorflow",)
)
