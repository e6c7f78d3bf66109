"""How far a filter lies from the other filters of its layer."""

import numpy as np

from tfelastic.criteria.base import CRITERIA, Criterion
from tfelastic.criteria.units import Units, filters
from tfelastic.graph import LayerGraph


@CRITERIA.register("geometric_median")
class GeometricMedian(Criterion):
    """The sum of a filter's Euclidean distances to all filters of its layer, added up over coupled layers.

    `score(j) = sum over k of ||F_j - F_k||`

    A filter near the geometric median of its layer can be replaced by the others, whatever its size.

    Source: He et al., Filter Pruning via Geometric Median (FPGM), arXiv 1811.00250.
    """

    def score(self, graph: LayerGraph) -> dict[str, np.ndarray]:
        """Return the summed distances, `[units]` per group."""
        units = Units(graph)
        return units.by_group(
            units.total((labels, _distances(rows)) for labels, rows in filters(graph))
        )


def _distances(rows: np.ndarray) -> np.ndarray:
    """Return for each row the sum of its distances to all rows, `[rows]`.

    By `|a - b|^2 = |a|^2 + |b|^2 - 2ab`, which is one matrix product; rows are centred first, since what they have
    in common would only cost digits.
    """
    rows = rows - rows.mean(axis=0)
    squares = np.square(rows).sum(axis=1)
    apart = squares[:, None] + squares[None, :] - 2 * rows @ rows.T
    return np.sqrt(np.maximum(apart, 0)).sum(axis=1)
