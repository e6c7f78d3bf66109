"""What every layer costs and keeps under several plans, counted without building a net."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.records import Record

if TYPE_CHECKING:
    from tfelastic import KeepPlan, LayerGraph


@dataclass(frozen=True)
class LayerFigures(Record):
    """A layer's channels and costs, a number for each net, the largest first; 0 where a net has removed it."""

    path: str
    kind: str
    channels: tuple[int, ...]
    params: tuple[int, ...]
    macs: tuple[int, ...]


@dataclass(frozen=True)
class LayerCosts(Record):
    """The layers that have parameters or multiply, in execution order.

    Attributes:
        rungs: The nets' names, the largest first.
        layers: The layers.
        blocks: The model's removable blocks.
        removed: The blocks that each net has removed.
    """

    rungs: tuple[str, ...]
    layers: tuple[LayerFigures, ...]
    blocks: tuple[str, ...]
    removed: dict[str, tuple[str, ...]]


def layer_costs_of(graph: "LayerGraph", plans: "Mapping[str, KeepPlan]") -> LayerCosts:
    """Count the layers that each plan leaves; of the first one all layers stay.

    Args:
        graph: The graph of the whole net.
        plans: What each net keeps, by the net's name.
    """
    import tfelastic as te

    found = [{each.path: each for each in te.cost(graph, plan).layers} for plan in plans.values()]
    layers = []
    for path, layer in found[0].items():
        if layer.params or layer.macs:
            by_net = [each.get(path) for each in found]
            layers.append(
                LayerFigures(
                    path,
                    layer.kind,
                    tuple((each.output_shape[-1] or 0) if each else 0 for each in by_net),
                    tuple(each.params if each else 0 for each in by_net),
                    tuple(each.macs if each else 0 for each in by_net),
                )
            )
    return LayerCosts(
        tuple(plans),
        tuple(layers),
        tuple(block.name for block in graph.blocks),
        {name: tuple(plan.removed) for name, plan in plans.items()},
    )
