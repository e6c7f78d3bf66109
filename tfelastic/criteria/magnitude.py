"""The size of a channel's weights."""

import keras
import numpy as np

from tfelastic.criteria.base import CRITERIA, Criterion
from tfelastic.errors import CriterionError
from tfelastic.graph import LayerGraph


@CRITERIA.register("magnitude")
class Magnitude(Criterion):
    """The norm of the kernels that make a unit's channels, over all layers that are coupled in the group.

    Source: Li et al., Pruning Filters for Efficient ConvNets, arXiv 1608.08710 (L1); over coupled layers as in
    Fang et al., DepGraph, arXiv 2301.12900.

    Args:
        order: 1 for the sum of absolute values, 2 for the Euclidean norm.
    """

    def __init__(self, order: int = 2) -> None:
        if order not in (1, 2):
            raise CriterionError(f"the order of a magnitude is 1 or 2, not {order!r}")
        self._order = order

    def score(self, graph: LayerGraph) -> dict[str, np.ndarray]:
        """Return the norms, `[units]` per group."""
        scores = {}
        for group in graph.prunable:
            total = np.zeros(group.size)
            for binding, units in graph.bindings_of(group):
                if binding.creates:
                    kernel = np.abs(keras.ops.convert_to_numpy(binding.variable).astype(np.float64)) ** self._order
                    others = tuple(axis for axis in range(kernel.ndim) if axis != binding.axis)
                    np.add.at(total, units[units >= 0], kernel.sum(axis=others)[units >= 0])
            scores[group.name] = total ** (1 / self._order)
        return scores
