"""Count what every layer costs in each rung, and note which blocks a rung keeps."""

from dataclasses import dataclass

from pipelines.experiments.elastic import ladder
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage, baseline


@dataclass(frozen=True)
class LayerFigures(Record):
    """A layer's channels and costs, a number for each rung, widest first; 0 where a rung has removed it."""

    path: str
    kind: str
    channels: tuple[int, ...]
    params: tuple[int, ...]
    macs: tuple[int, ...]


@dataclass(frozen=True)
class LayerCosts(Record):
    """The layers that have parameters or multiply, in execution order.

    Attributes:
        rungs: The rungs' names, widest first.
        layers: The layers.
        blocks: The model's removable blocks.
        removed: The blocks that each rung has removed.
    """

    rungs: tuple[str, ...]
    layers: tuple[LayerFigures, ...]
    blocks: tuple[str, ...]
    removed: dict[str, tuple[str, ...]]


def run(run: Run[ElasticRecipe]) -> Outcome[LayerCosts]:
    """Count the layers of every rung; nothing is built."""
    import tfelastic as te

    graph, rungs = te.trace(baseline.load(run)), ladder.planned(run).rungs
    found = [{each.path: each for each in te.cost(graph, rung.plan).layers} for rung in rungs]
    layers = []
    for path, layer in found[0].items():
        if layer.params or layer.macs:
            by_rung = [each.get(path) for each in found]
            layers.append(
                LayerFigures(
                    path,
                    layer.kind,
                    tuple((each.output_shape[-1] or 0) if each else 0 for each in by_rung),
                    tuple(each.params if each else 0 for each in by_rung),
                    tuple(each.macs if each else 0 for each in by_rung),
                )
            )
    removed = {rung.name: tuple(rung.plan.removed) for rung in rungs}
    blocks = tuple(block.name for block in graph.blocks)
    result = LayerCosts(tuple(rung.name for rung in rungs), tuple(layers), blocks, removed)
    return Outcome(f"{len(layers)} layers in {len(rungs)} rungs", result)


STAGE = Stage(
    "layer_costs", run, LayerCosts, stages=(baseline.STAGE, ladder.STAGE), packages=("tensorflow",)
)
