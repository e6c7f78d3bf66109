"""`Greedy`: the step that loses least for what it saves goes first, channels and blocks in one order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tfelastic._cost import Budget
from tfelastic._plan import Selection
from tfelastic.strategies.base import STRATEGIES, Strategy
from tfelastic.strategies.schedule import PruningSchedule, PruningStep, Step


@STRATEGIES.register("greedy")
@dataclass(frozen=True)
class Greedy(Strategy):
    """Takes the step that loses least for what it saves of the budget, among channels and blocks alike.

    A step is as large as it has to be: where cutting a group once saves nothing, as on a device whose kernels work
    in tiles of channels, its further steps are weighed together with it. Saving more than the budget still asks for
    counts for nothing; of two steps of equal worth the one that saves less goes. Where several resources are limited,
    the one farthest above its limit decides. Once the budget is met, steps that it does not need any more after what
    was taken later are taken back, those that lose most first.

    After each step only the best candidates are priced anew, until the best one stays the best (lazy evaluation,
    Minoux 1978); the others keep the price that they had.

    Source: in the manner of NetAdapt (Yang et al., ECCV 2018, arXiv 1804.03230), which cuts one layer at a time by
    measured latencies; ours: blocks beside channels, and steps that grow until they save.

    Attributes:
        blocks: Whether residual blocks may be removed.

    Examples:
        >>> import keras, tfelastic as te
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(32, 3, name="conv"),
        ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])
        >>> plan = te.plan(model, budget=te.Budget(macs=0.5), strategy=te.Greedy())
        >>> len(plan.keep["conv"])
        16
    """

    blocks: bool = True

    @property
    def removes_blocks(self) -> bool:
        """Whether residual blocks may be removed."""
        return self.blocks

    def order_steps(self, schedule: PruningSchedule, budget: Budget) -> Iterator[Step]:
        """Yield the steps that the budget needs, and then the others, those that lose least first."""
        needed = _needed(schedule, budget, _Descent(schedule, budget).steps_to_fit())
        yield from needed
        left = schedule.after(needed)
        yield from _by_loss((*left.groups, *((block,) for block in left.blocks)))


#: After how many further steps of a group that are worth less than the best the group is searched no deeper. No tile
#: of a kernel holds more steps of 8 channels.
_PATIENCE = 8


@dataclass(frozen=True)
class _Candidate:
    """Steps to be taken together: of one group, or a block's removal.

    Attributes:
        steps: The steps.
        rate: What they lose for each unit that they save; infinite where they save nothing.
        saved: How much they save.
    """

    steps: tuple[Step, ...]
    rate: float
    saved: float = 0.0

    @property
    def rank(self) -> tuple[float, float]:
        """What decides between candidates; the smallest is taken."""
        return self.rate, self.saved


class _Descent:
    """Takes one candidate after the other and keeps account of what is spent."""

    def __init__(self, schedule: PruningSchedule, budget: Budget) -> None:
        self._schedule = schedule
        self._budget = budget
        self._limits = budget.limits(budget.spending(Selection(schedule.graph)))
        self._ahead: dict[str, tuple[Step, ...]] = {
            f"group {steps[0].group}": steps for steps in schedule.groups if steps
        }
        self._ahead |= {f"block {each.block}": (each,) for each in schedule.blocks}
        self._spent = self._price(())

    def steps_to_fit(self) -> list[Step]:
        """Return the steps with which the budget is met first, or all."""
        taken: list[Step] = []
        together = self._steps_in_turn()
        while not self._fits() and (steps := next(together, ())):
            taken += steps
        return taken

    def _fits(self) -> bool:
        return all(self._spent[name] <= limit for name, limit in self._limits.items())

    def _steps_in_turn(self) -> Iterator[tuple[Step, ...]]:
        """Yield the steps that are taken together, until none are left."""
        candidates = {name: self._best_of(name) for name in self._ahead}
        while candidates:
            name = min(candidates, key=lambda each: candidates[each].rank)
            renewed = self._best_of(name)
            if renewed.rank > candidates[name].rank:
                # What was taken since has changed its worth; another may be better now.
                candidates[name] = renewed
                if name != min(candidates, key=lambda each: candidates[each].rank):
                    continue
            if renewed.rate == float("inf"):
                yield tuple(_by_loss(self._ahead.values()))
                return
            self._take(name, renewed)
            yield renewed.steps
            if self._ahead[name]:
                candidates[name] = self._best_of(name)
            else:
                del candidates[name]

    def _take(self, name: str, candidate: _Candidate) -> None:
        self._ahead[name] = self._ahead[name][len(candidate.steps) :]
        self._schedule = self._schedule.after(candidate.steps)
        self._spent = self._price(())

    def _best_of(self, name: str) -> _Candidate:
        """Return the first steps of a group, or a block, at the lowest loss for what they save."""
        best, loss = _Candidate(self._ahead[name], float("inf")), 0.0
        resource = max(self._limits, key=lambda each: self._spent[each] / self._limits[each])
        needed = self._spent[resource] - self._limits[resource]
        for count, step in enumerate(self._ahead[name], start=1):
            loss += step.loss
            saved = self._spent[resource] - self._price(self._ahead[name][:count])[resource]
            useful = min(saved, needed) if needed > 0 else saved
            if useful > 0 and loss / useful < best.rate:
                best = _Candidate(self._ahead[name][:count], loss / useful, saved)
            elif best.saved and count - len(best.steps) >= _PATIENCE:
                break
        return best

    def _price(self, steps: tuple[Step, ...]) -> dict[str, float]:
        return self._budget.spending(Selection(self._schedule.graph, self._schedule.plan(steps)))


def _by_loss(groups: Iterable[Sequence[Step]]) -> Iterator[Step]:
    """Yield the steps of groups, those that lose least first, each group's own in their order."""
    ahead = [list(steps) for steps in groups if steps]
    while ahead:
        first = min(ahead, key=lambda steps: steps[0].loss)
        yield first.pop(0)
        ahead = [steps for steps in ahead if steps]


def _needed(schedule: PruningSchedule, budget: Budget, taken: Sequence[Step]) -> list[Step]:
    """Return the steps without those that the budget does not need, those that lose most being dropped first."""
    limits = budget.limits(budget.spending(Selection(schedule.graph)))
    kept = list(taken)

    def fits(steps: Sequence[Step]) -> bool:
        spent = budget.spending(Selection(schedule.graph, schedule.plan(steps)))
        return all(spent[name] <= limit for name, limit in limits.items())

    if not fits(kept):
        return kept
    # Of equal losses the last one first, for a group's steps are taken back from the last on.
    latest_first = taken[::-1]
    for step in sorted(latest_first, key=lambda each: -each.loss):
        without = [each for each in kept if each != step]
        if not _has_further(step, without) and fits(without):
            kept = without
    return kept


def _has_further(step: Step, others: Sequence[Step]) -> bool:
    """Whether a later step of the same group is among others."""
    return isinstance(step, PruningStep) and any(
        isinstance(each, PruningStep) and each.group == step.group and each.keep < step.keep
        for each in others
    )
