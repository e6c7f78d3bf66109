"""Adds up, per unit, what a criterion knows per weight: the one place where weights become scores."""

from collections.abc import Iterable, Iterator

import keras
import numpy as np

from tfelastic.errors import CriterionError
from tfelastic.graph import Binding, LayerGraph


class Units:
    """All units of all groups of a graph, numbered in one row.

    Attributes:
        count: How many units there are.
    """

    def __init__(self, graph: LayerGraph) -> None:
        self._graph = graph
        self._starts = np.cumsum([0, *(group.size for group in graph.groups)])
        self.count = int(self._starts[-1])

    def at(self, labels: np.ndarray) -> np.ndarray:
        """Return the number of the unit at each position of an axis, `[length]`; `count` where there is none."""
        owner, unit = self._graph.unit_of[labels].T
        return np.where(owner >= 0, self._starts[owner] + unit, self.count)

    def total(self, parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Add up parts over the positions of each unit, `[units]`.

        Args:
            parts: Pairs of the channels along some axis, `[length]`, and an amount at each position, `[length]`.
        """
        sums = np.zeros(self.count + 1)
        for labels, amounts in parts:
            sums += np.bincount(self.at(labels), weights=amounts, minlength=self.count + 1)
        return sums[:-1]

    def mean(self, parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Average over each unit's positions within a part, then over parts, `[units]`; NaN where there are none."""
        sums, times = np.zeros(self.count), np.zeros(self.count)
        for labels, amounts in parts:
            found = self.total([(labels, np.ones(len(labels)))])
            here = found > 0
            sums[here] += self.total([(labels, amounts)])[here] / found[here]
            times += here
        return np.divide(sums, times, out=np.full(self.count, np.nan), where=times > 0)

    def by_group(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Split a value per unit, `[units]`, into the prunable groups."""
        spans = zip(self._graph.groups, self._starts[:-1], self._starts[1:], strict=True)
        return {group.name: values[a:b] for group, a, b in spans if not group.frozen}


def scores_of(units: Units, values: np.ndarray, *, missing: str) -> dict[str, np.ndarray]:
    """Split scores into groups, making sure that every unit has one.

    Raises:
        CriterionError: A unit has none (NaN); the text names its group and continues with `missing`.
    """
    scores = units.by_group(values)
    for name, score in scores.items():
        if np.isnan(score).any():
            raise CriterionError(f"group {name!r} cannot be scored: {missing}")
    return scores


def filters(graph: LayerGraph) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each kernel that makes channels their labels, `[channels]`, and `[channels, weights]`."""
    for binding in graph.bindings:
        if binding.creates:
            kernel = keras.ops.convert_to_numpy(binding.variable).astype(np.float64)
            rows = np.moveaxis(kernel, binding.axis, 0)
            yield binding.labels, rows.reshape(len(rows), -1)


def readers(graph: LayerGraph) -> Iterator[Binding]:
    """Yield every kernel axis along which channels are summed into others.

    Nothing else carries a unit's values into other units: what a depthwise kernel, a BatchNorm or an activation
    does to a channel stays within the unit. Dropping a unit is therefore the same as setting its slices of these
    kernels to zero.
    """
    made = {id(binding.variable) for binding in graph.bindings if binding.creates}
    for binding in graph.bindings:
        if binding.role == "kernel" and not binding.creates and id(binding.variable) in made:
            yield binding
