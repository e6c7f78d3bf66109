"""What a criterion is: it gives every unit of every group a score; low ones go first."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from tfelastic.errors import CriterionError
from tfelastic.graph import LayerGraph
from tfelastic.registry import Registry

CRITERIA: Registry[Callable[..., "Criterion"]] = Registry("criterion", CriterionError)


class Criterion(ABC):
    """Scores the units of a graph's groups.

    Attributes:
        comparable: Whether the scores of different groups compare, as measured losses do. Other scores compare within
            a group alone, and strategies divide them by their mean.
    """

    comparable: bool = False

    @abstractmethod
    def score(self, graph: LayerGraph) -> dict[str, np.ndarray]:
        """Return a score per unit, `[units]`, for every prunable group, by the group's name.

        Scores are not negative; a unit of score 0 is worth nothing. The graph's model is only read.
        """

    def score_blocks(self, graph: LayerGraph) -> dict[str, float]:
        """Return what removing each removable block loses, on the scale of `score`.

        A strategy asks for it where the criterion is `comparable`; blocks that are left out cannot be removed.
        """
        del graph
        return {}


def resolve(criterion: "str | Criterion") -> Criterion:
    """Return the criterion of that name with its default options, or the criterion itself.

    Raises:
        CriterionError: The name is unknown, or the criterion needs data and so must be made by hand.
    """
    if isinstance(criterion, Criterion):
        return criterion
    make = CRITERIA.get(criterion)
    parameters = inspect.signature(make).parameters.values()
    if needed := [each.name for each in parameters if each.default is each.empty]:
        call = f"{getattr(make, '__name__', criterion)}({', '.join(needed)})"
        raise CriterionError(
            f"the criterion {criterion!r} needs {' and '.join(needed)}, which a name cannot give; "
            f"pass tfelastic.criteria.{call} in place of the name"
        )
    return make()
