"""Scores by chance: what every other criterion has to beat."""

import numpy as np

from tfelastic.criteria.base import CRITERIA, Criterion
from tfelastic.graph import LayerGraph


@CRITERIA.register("random")
class Random(Criterion):
    """Scores drawn evenly from 0 to 1, the same for the same seed and graph.

    Source: Mittal et al., Recovering from Random Pruning, arXiv 1801.10447, which shows how strong a baseline it is.

    Args:
        seed: What the scores are drawn from.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def score(self, graph: LayerGraph) -> dict[str, np.ndarray]:
        """Return the scores, `[units]` per group."""
        generator = np.random.default_rng(self._seed)
        return {group.name: generator.random(group.size) for group in graph.prunable}
