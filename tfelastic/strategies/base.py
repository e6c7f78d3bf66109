"""What a strategy is: it orders the steps down, and so makes a staircase of ever smaller plans."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tfelastic.errors import BudgetError
from tfelastic.registry import Registry
from tfelastic.strategies.staircase import Tread

STRATEGIES: Registry["Strategy"] = Registry("strategy", BudgetError)


class Strategy(ABC):
    """Orders the steps down of all groups. Scores reach it already normalised to a mean of 1 per group."""

    @abstractmethod
    def order(self, groups: Sequence[Sequence[Tread]]) -> list[Tread]:
        """Return every tread of every group in the order in which they are taken; a group's own stay in order."""


class Uniform(Strategy):
    """Keeps the same share of every group: the group that would round down first goes first."""

    def order(self, groups: Sequence[Sequence[Tread]]) -> list[Tread]:
        """Order by the share at which each step is due."""
        return sorted(
            (tread for group in groups for tread in group), key=lambda tread: -tread.share
        )


class Global(Strategy):
    """One ranking over all groups: the step whose channels are worth least goes first.

    Source: Fang et al., DepGraph, arXiv 2301.12900 (scores over coupled groups, normalised by their mean).
    """

    def order(self, groups: Sequence[Sequence[Tread]]) -> list[Tread]:
        """Order by score; ties go to the wider group."""
        return sorted(
            (tread for group in groups for tread in group),
            key=lambda tread: (tread.score, -tread.share),
        )


STRATEGIES.register("uniform")(Uniform())
STRATEGIES.register("global")(Global())
