"""`Global`: one ranking over the channels of all groups."""

from tfelastic._cost import Budget
from tfelastic.strategies.base import STRATEGIES, Strategy
from tfelastic.strategies.schedule import PruningSchedule, PruningStep


@STRATEGIES.register("global")
class Global(Strategy):
    """One ranking over all groups: the step whose channels have the lowest score goes first.

    Source: Fang et al., DepGraph, arXiv 2301.12900 (scores over coupled groups, normalised by their mean).
    """

    def order_steps(self, schedule: PruningSchedule, budget: Budget) -> list[PruningStep]:
        """Order by score; ties go to the wider group."""
        del budget
        return sorted(
            (step for group in schedule.groups for step in group),
            key=lambda step: (step.score, -step.share),
        )
