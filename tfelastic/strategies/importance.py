"""`Importance`: what the channels and blocks of a graph are worth, on one scale."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from tfelastic.criteria import Criterion
from tfelastic.graph import LayerGraph


@dataclass(frozen=True, eq=False)
class Importance:
    """Scores of every prunable group's units and of every removable block.

    A criterion's scores compare within a group alone, so each group's are divided by their mean; `weights` then says
    how much a share of one group counts beside the same share of another. A criterion that measures losses
    (`Criterion.comparable`) is taken as it is.

    Attributes:
        units: For each prunable group a score per unit, `[units]`.
        weights: For each prunable group what one unit of score 1 counts for.
        blocks: For each block what removing it loses, on the scale of `weights * units`.
    """

    units: Mapping[str, np.ndarray]
    weights: Mapping[str, float]
    blocks: Mapping[str, float]

    @classmethod
    def of(cls, graph: LayerGraph, criterion: Criterion, *, blocks: bool = False) -> Self:
        """Score a graph's units, and its blocks where they are asked for.

        Without measured losses the unit of account is a layer: what a plan loses is, added over the layers that make
        channels, the share of importance that it drops from each. A block loses all of its layers.
        """
        scores = criterion.score(graph)
        if criterion.comparable:
            losses = criterion.score_blocks(graph) if blocks else {}
            return cls(scores, dict.fromkeys(scores, 1.0), losses)
        makers = _makers(graph)
        weights = {
            group.name: max(1, len(makers[group.name])) / group.size for group in graph.prunable
        }
        every = set().union(*makers.values())
        losses = {
            block.name: float(len(every.intersection(block.layers)))
            for block in (graph.blocks if blocks else ())
        }
        return cls({name: normalised(s) for name, s in scores.items()}, weights, losses)

    def loss(self, group: str, units: np.ndarray) -> float:
        """Return what dropping these units of a group loses."""
        return self.weights[group] * float(self.units[group][units].sum())


def normalised(scores: np.ndarray) -> np.ndarray:
    """Return one group's scores divided by their mean, so that groups compare; all zeros stay as they are."""
    mean = float(scores.mean())
    return scores / mean if mean > 0 else scores.astype(float)


def best_first(scores: np.ndarray) -> np.ndarray:
    """Return the numbers of a group's units by falling score, `[units]`; equal ones stay in their order."""
    return np.argsort(-scores, kind="stable")


def _makers(graph: LayerGraph) -> dict[str, set[str]]:
    """Return, for each group, the layers whose kernels make its channels."""
    makers: dict[str, set[str]] = defaultdict(set)
    for step in graph.steps:
        for binding in graph.facts_of(step).bindings.values():
            if binding.creates:
                for owner in np.unique(graph.unit_of[binding.labels, 0]).tolist():
                    makers[graph.groups[owner].name].add(step.path)
    return makers
