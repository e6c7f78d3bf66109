"""`Strategy`: the order in which groups are cut, step by step, to ever smaller plans."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping

from tfelastic._cost import Budget, cost
from tfelastic.criteria import Criterion
from tfelastic.errors import BudgetError
from tfelastic.registry import Registry
from tfelastic.strategies.schedule import PruningSchedule, PruningStep

STRATEGIES: Registry[Callable[[], "Strategy"]] = Registry("strategy", BudgetError)


class Strategy(ABC):
    """Orders the steps of a pruning schedule.

    Attributes:
        criterion: What ranks a group's units where the caller does not say.
    """

    criterion: str | Criterion = "magnitude"

    @abstractmethod
    def order_steps(self, schedule: PruningSchedule) -> Iterable[PruningStep]:
        """Yield every step of every group in the order in which they are taken; a group's own stay in order.

        The steps are asked for one by one, no further than a budget needs. Their scores have a mean of 1 per
        group.
        """

    def units_per_group(
        self, schedule: PruningSchedule, uniform: Mapping[str, int]
    ) -> Mapping[str, int]:
        """Return how many units of each group a ladder's rung keeps.

        The first plan in this strategy's order that has no more MACs than the uniform rung of the same width.

        Args:
            schedule: The steps that the ladder's groups can take.
            uniform: How many units of each group the uniform rung keeps.

        Raises:
            BudgetError: The strategy's steps end before they reach those MACs.
        """
        limit = cost(schedule.graph, schedule.plan_of(uniform)).macs
        steps = schedule.steps_within(Budget(macs=limit), self.order_steps(schedule))
        sizes = {name: len(schedule.order[name]) for name in uniform}
        return sizes | {step.group: step.keep for step in steps}


def resolve(strategy: str | Strategy) -> Strategy:
    """Return the strategy of that name with its default options, or the strategy itself.

    Raises:
        BudgetError: The name is unknown.
    """
    return strategy if isinstance(strategy, Strategy) else STRATEGIES.get(strategy)()
