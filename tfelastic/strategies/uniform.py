"""`Uniform`: the same share of every group."""

from collections.abc import Mapping

from tfelastic._cost import Budget
from tfelastic.strategies.base import STRATEGIES, Strategy
from tfelastic.strategies.schedule import PruningSchedule, PruningStep


@STRATEGIES.register("uniform")
class Uniform(Strategy):
    """Keeps the same share of every group: the group that would round down first goes first."""

    def order_steps(self, schedule: PruningSchedule, budget: Budget) -> list[PruningStep]:
        """Order by the share at which each step is due."""
        del budget
        return sorted(
            (step for group in schedule.groups for step in group), key=lambda step: -step.share
        )

    def units_per_group(
        self, schedule: PruningSchedule, uniform: Mapping[str, int]
    ) -> Mapping[str, int]:
        """Return `uniform`."""
        del schedule
        return uniform
