"""What a strategy is: it says which group steps down next, and so makes a staircase of ever smaller plans."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from tfelastic.criteria import Criterion
from tfelastic.errors import BudgetError
from tfelastic.registry import Registry
from tfelastic.strategies.staircase import Staircase, Tread

STRATEGIES: Registry[Callable[[], "Strategy"]] = Registry("strategy", BudgetError)


class Strategy(ABC):
    """Says which group steps down next.

    Attributes:
        criterion: What ranks a group's units where the caller does not say.
    """

    criterion: str | Criterion = "magnitude"

    @abstractmethod
    def descend(self, staircase: Staircase) -> Iterable[Tread]:
        """Yield every tread of every group in the order in which they are taken; a group's own stay in order.

        The treads are asked for one by one, as far down as a budget needs. The scores that they carry are
        normalised to a mean of 1 per group.
        """


@STRATEGIES.register("uniform")
class Uniform(Strategy):
    """Keeps the same share of every group: the group that would round down first goes first."""

    def descend(self, staircase: Staircase) -> list[Tread]:
        """Order by the share at which each step is due."""
        return sorted(
            (tread for group in staircase.groups for tread in group), key=lambda tread: -tread.share
        )


@STRATEGIES.register("global")
class Global(Strategy):
    """One ranking over all groups: the step whose channels are worth least goes first.

    Source: Fang et al., DepGraph, arXiv 2301.12900 (scores over coupled groups, normalised by their mean).
    """

    def descend(self, staircase: Staircase) -> list[Tread]:
        """Order by score; ties go to the wider group."""
        return sorted(
            (tread for group in staircase.groups for tread in group),
            key=lambda tread: (tread.score, -tread.share),
        )


def resolve(strategy: str | Strategy) -> Strategy:
    """Return the strategy of that name with its default options, or the strategy itself.

    Raises:
        BudgetError: The name is unknown.
    """
    return strategy if isinstance(strategy, Strategy) else STRATEGIES.get(strategy)()
