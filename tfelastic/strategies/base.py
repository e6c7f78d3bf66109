"""`Strategy`: the order in which groups are cut, step by step, to ever smaller plans."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping

from tfelastic._cost import Budget, cost
from tfelastic.criteria import Criterion
from tfelastic.errors import BudgetError
from tfelastic.registry import Registry
from tfelastic.strategies.schedule import PruningSchedule, PruningStep, Step

STRATEGIES: Registry[Callable[[], "Strategy"]] = Registry("strategy", BudgetError)


class Strategy(ABC):
    """Orders the steps of a pruning schedule.

    Attributes:
        criterion: What ranks a group's units where the caller does not say.
    """

    criterion: str | Criterion = "magnitude"

    @property
    def removes_blocks(self) -> bool:
        """Whether the strategy removes residual blocks, so that they are scored as well."""
        return False

    @abstractmethod
    def order_steps(self, schedule: PruningSchedule, budget: Budget) -> Iterable[Step]:
        """Yield every step of every group in the order in which they are taken; a group's own stay in order.

        The steps are asked for one by one, no further than the budget needs.

        Args:
            schedule: The steps that can be taken.
            budget: What they are taken for.
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
        budget = Budget(macs=cost(schedule.graph, schedule.plan_of(uniform)).macs)
        steps = schedule.steps_within(budget, self.order_steps(schedule, budget))
        sizes = {name: len(schedule.order[name]) for name in uniform}
        return sizes | {step.group: step.keep for step in steps if isinstance(step, PruningStep)}


def resolve(strategy: str | Strategy) -> Strategy:
    """Return the strategy of that name with its default options, or the strategy itself.

    Raises:
        BudgetError: The name is unknown.
    """
    return strategy if isinstance(strategy, Strategy) else STRATEGIES.get(strategy)()
