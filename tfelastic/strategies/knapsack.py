"""`Knapsack`: how many channels each group keeps is settled for all groups at once, by dynamic programming."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfelastic._cost import Budget
from tfelastic._plan import Selection
from tfelastic.errors import BudgetError
from tfelastic.strategies.base import STRATEGIES, Strategy
from tfelastic.strategies.schedule import PruningSchedule, PruningStep, Step

#: Into how many parts the saving that a round asks for is divided.
_RESOLUTION = 500


@STRATEGIES.register("knapsack")
@dataclass(frozen=True)
class Knapsack(Strategy):
    """Approaches a budget in rounds, and in each keeps the most importance that the round's limit allows.

    In a round every step of every group is priced with all other groups as they are, and a knapsack over all groups
    (of each one number of channels is chosen) finds the least loss that saves enough. Prices are added up as if groups
    did not touch each other; so rounds are small, and prices are taken anew after each. It removes no blocks.

    Source: HALP, hardware-aware latency pruning (Shen et al., NeurIPS 2022, arXiv 2110.10811).

    Attributes:
        rounds: How many rounds lead to the budget, each to the same share of what the one before spent.

    Raises:
        BudgetError: `rounds` is less than 1.

    Examples:
        >>> import keras, tfelastic as te
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(32, 3, name="conv"),
        ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])
        >>> plan = te.plan(model, budget=te.Budget(macs=0.5), strategy=te.Knapsack())
        >>> len(plan.keep["conv"])
        16
    """

    rounds: int = 8

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise BudgetError(f"a knapsack needs at least 1 round, received {self.rounds}")

    def order_steps(self, schedule: PruningSchedule, budget: Budget) -> Iterator[Step]:
        """Yield each round's steps, then those that are left by their loss per step."""
        graph = schedule.graph
        limits = budget.limits(budget.spending(Selection(graph)))
        spent = budget.spending(Selection(graph, schedule.plan(())))
        # The resource that is farthest above its limit decides.
        resource = max(limits, key=lambda name: spent[name] / limits[name])
        share = min(limits[resource] / spent[resource], 1.0) ** (1 / self.rounds)
        while any(schedule.groups):
            limit = spent[resource] * share
            steps = _round(schedule, budget, resource, limit) if share < 1 else []
            if not steps:
                break
            yield from steps
            schedule = schedule.after(steps)
            spent = budget.spending(Selection(graph, schedule.plan(())))
        ahead = [step for group in schedule.groups for step in group]
        yield from sorted(ahead, key=lambda step: (step.score, -step.share))


def _round(
    schedule: PruningSchedule, budget: Budget, resource: str, limit: float
) -> list[PruningStep]:
    """Return the steps that lose least among those that save enough, or all that can save anything."""

    def price(steps: Sequence[PruningStep]) -> float:
        return budget.spending(Selection(schedule.graph, schedule.plan(steps)))[resource]

    now = price(())
    needed = now - limit
    choices: dict[str, list[tuple[float, float]]] = {}
    for steps in filter(None, schedule.groups):
        losses = np.cumsum([step.loss for step in steps])
        savings = [now - price(steps[:count]) for count in range(1, len(steps) + 1)]
        choices[steps[0].group] = [(0.0, 0.0), *zip(losses.tolist(), savings, strict=True)]
    counts = cheapest_choice(choices, needed)
    return [step for steps in schedule.groups if steps for step in steps[: counts[steps[0].group]]]


def cheapest_choice(
    choices: Mapping[str, Sequence[tuple[float, float]]], needed: float
) -> dict[str, int]:
    """Return which choice of each group to take, so that the savings reach what is needed at the least loss.

    A multiple-choice knapsack by dynamic programming over savings in `needed / 500`, each rounded down. Where all
    savings together are too small, the largest of each group is taken.

    Args:
        choices: For each group its choices, as losses and savings.
        needed: What the savings have to add up to.
    """
    # least[s]: the least loss that saves s parts of what is needed; all beyond the last part count as the last.
    least = np.full(_RESOLUTION + 1, np.inf)
    least[0] = 0.0
    parts = np.arange(len(least))
    tables: list[tuple[np.ndarray, np.ndarray]] = []
    for options in choices.values():
        best = np.full_like(least, np.inf)
        chosen, before = np.zeros_like(parts), np.zeros_like(parts)
        for number, (loss, saving) in enumerate(options):
            shift = int(np.clip(saving / needed * _RESOLUTION, 0, _RESOLUTION))
            source = np.maximum(parts - shift, 0)
            reached = np.where(parts >= shift, least[source], np.inf)
            # Whatever saves more than is needed is gathered in the last part.
            source[-1] = _RESOLUTION - shift + int(least[_RESOLUTION - shift :].argmin())
            reached[-1] = least[source[-1]]
            better = reached + loss < best
            best[better] = reached[better] + loss
            chosen[better], before[better] = number, source[better]
        least = best
        tables.append((chosen, before))
    if not np.isfinite(least[-1]):
        return {
            name: max(range(len(options)), key=lambda number: options[number][1])
            for name, options in choices.items()
        }
    counts: dict[str, int] = {}
    part = _RESOLUTION
    for name, (chosen, before) in zip(reversed(list(choices)), reversed(tables), strict=True):
        counts[name], part = int(chosen[part]), int(before[part])
    return counts
