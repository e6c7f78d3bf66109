"""What a criterion is: it gives every unit of every group a score; low ones go first."""

from abc import ABC, abstractmethod

import numpy as np

from tfelastic.errors import CriterionError
from tfelastic.graph import LayerGraph
from tfelastic.registry import Registry

CRITERIA: Registry[type["Criterion"]] = Registry("criterion", CriterionError)


class Criterion(ABC):
    """Scores the units of a graph's groups."""

    @abstractmethod
    def score(self, graph: LayerGraph) -> dict[str, np.ndarray]:
        """Return a score per unit, `[units]`, for every prunable group, by the group's name.

        Scores are not negative; a unit of score 0 is worth nothing.
        """


def resolve(criterion: "str | Criterion") -> Criterion:
    """Return the criterion of that name with its default options, or the criterion itself.

    Raises:
        CriterionError: The name is unknown, or the criterion needs data and so must be made by hand.
    """
    if isinstance(criterion, Criterion):
        return criterion
    kind = CRITERIA.get(criterion)
    try:
        return kind()
    except TypeError as cause:
        raise CriterionError(
            f"the criterion {criterion!r} needs more than its name; pass {kind.__name__}(...) in its place"
        ) from cause
