"""The size of a channel's weights."""

from functools import partial

import numpy as np

from tfelastic.criteria.base import CRITERIA, Criterion
from tfelastic.criteria.units import Units, filters
from tfelastic.errors import CriterionError
from tfelastic.graph import LayerGraph


@CRITERIA.register("magnitude")
class Magnitude(Criterion):
    """The norm of the kernels that make a unit's channels, over all layers that are coupled in the group.

    `score = (sum of |w| ** order over the unit's filters) ** (1 / order)`

    The names `"l1"` and `"l2"` stand for the two orders; `"magnitude"` is the second.

    Source: Li et al., Pruning Filters for Efficient ConvNets, arXiv 1608.08710 (L1); over coupled layers as in
    Fang et al., DepGraph, arXiv 2301.12900.

    Args:
        order: 1 for the sum of absolute values, 2 for the Euclidean norm.

    Raises:
        CriterionError: `order` is neither.
    """

    def __init__(self, order: int = 2) -> None:
        if order not in (1, 2):
            raise CriterionError(f"the order of a magnitude is 1 or 2, not {order!r}")
        self._order = order

    def score(self, graph: LayerGraph) -> dict[str, np.ndarray]:
        """Return the norms, `[units]` per group."""
        size = np.abs if self._order == 1 else np.square
        units = Units(graph)
        total = units.total((labels, size(rows).sum(axis=1)) for labels, rows in filters(graph))
        return units.by_group(total ** (1 / self._order))


CRITERIA.register("l1")(partial(Magnitude, order=1))
CRITERIA.register("l2")(partial(Magnitude, order=2))
