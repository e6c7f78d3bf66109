"""`ladder`: nested rungs, of width and depth, for one model."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import keras
import numpy as np

from tfelastic import criteria
from tfelastic._cost import Budget
from tfelastic._plan import KeepPlan, Ladder, Rung, Selection
from tfelastic.criteria import Criterion
from tfelastic.errors import BudgetError, PlanError
from tfelastic.graph import LayerGraph, trace
from tfelastic.strategies.base import Strategy, resolve
from tfelastic.strategies.importance import Importance, best_first
from tfelastic.strategies.rounding import kept_units
from tfelastic.strategies.schedule import PruningSchedule
from tfelastic.surgery import prune

#: With which letter a rung's name says what its budget limits.
_INITIALS = {
    "latency_us": "t",
    "macs": "m",
    "params": "p",
    "peak_bytes": "a",
    "tflite_bytes": "f",
    "resident_bytes": "r",
}

#: For each group how many units stay.
Counts = Mapping[str, int]


def ladder(
    model: keras.Model | LayerGraph,
    *,
    widths: Sequence[float] | None = None,
    depths: Sequence[float] | None = None,
    budgets: Sequence[Budget] | None = None,
    criterion: str | Criterion | None = None,
    strategy: str | Strategy | None = None,
    round_to: int = 8,
    iterative: bool = False,
) -> Ladder:
    """Rank each group's channels and keep the best of them at every width, or within every budget.

    Every group is re-ordered by rank, so each narrower rung is a prefix of the wider one. Frozen groups, and
    those whose channels a layer cuts by position, keep all their channels at every rung.

    Args:
        model: A functional or sequential model, or its graph.
        widths: Shares of each group's channels, widest first, the first of them 1; by default 1, 0.75, 0.5, 0.25.
        depths: For each width the share of removable blocks that stays, the first of them 1; neither widths nor
            depths may rise, and one of them falls at every rung. Each chain of blocks loses its last ones first, as
            in Once-for-All networks (arXiv 1908.09791). `None` keeps all.
        budgets: In place of widths and depths, what each rung below the first may spend, largest first. Channels are
            cut and blocks removed in the strategy's order, each rung going on from the one above it. A budget that the
            rung above meets already gives no rung of its own.
        criterion: What ranks the channels; a name or a `Criterion`, such as a measured `tfelastic.Sensitivity`. By
            default the strategy's own, which is magnitude for most.
        strategy: By default `"uniform"`, which keeps the same share of every group, and for budgets `"greedy"`. With
            any other than `"uniform"`, such as `"global"` or `tfelastic.Complexity(mode="flops")`, each group has
            widths of its own, and a rung of a width spends at most the MACs of the uniform rung of that width.
        round_to: Channel counts are multiples of this: 8 for phones, 4 for microcontrollers; less in groups of
            fewer than four times as many channels.
        iterative: Whether what is left is ranked anew after each step; one ranking of the whole model otherwise.

    Returns:
        A ladder whose rungs are named after their widths, `w100`, `w075`, ..., and where `depths` are given after
        both: `w100d100`, `w100d050`, ... Those of budgets are named after the share of the (first) limited resource
        that they may spend: `t100`, `t075` for latency, `m...` for MACs, `p...` for parameters, `a...` for activation
        memory, `f...` for the file's size, `r...` for the memory of an open variant; their `width` is the share of all
        channels that they keep.

    Raises:
        BudgetError: The strategy is unknown, or cannot cut to a budget or to the MACs of a uniform rung; or the budgets
            do not fall.
        CriterionError: The criterion is unknown.
        PlanError: `widths` or `depths` do not fall from 1, or stand beside `budgets`, or nothing in the model can be
            pruned.

    Examples:
        >>> import keras, tfelastic as te
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(16, 3, name="conv"),
        ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])
        >>> [len(rung.plan.keep["conv"]) for rung in te.ladder(model).rungs]
        [16, 12, 8, 4]
    """
    chosen = resolve(strategy or ("uniform" if budgets is None else "greedy"))
    graph = model if isinstance(model, LayerGraph) else trace(model)
    if budgets is not None:
        if widths is not None or depths is not None or iterative:
            raise PlanError(
                "a ladder of budgets takes no widths and depths, and ranks channels once"
            )
        if not budgets:
            raise PlanError("a ladder of budgets needs at least one; received none")
        ranker = criteria.resolve(criterion or chosen.criterion)
        ranking = _Ranking(graph, ranker, round_to, blocks=chosen.removes_blocks)
        return Ladder(tuple(_rungs_within(ranking, budgets, chosen)))
    widths = _checked(
        (1.0, 0.75, 0.5, 0.25) if widths is None else widths,
        None if depths is None else tuple(map(float, depths)),
    )
    ranking = _Ranking(graph, criteria.resolve(criterion or chosen.criterion), round_to)
    counts: list[Counts] = []
    for width in widths:
        if iterative and counts:
            ranking.renew(counts[-1])
        wanted = chosen.units_per_group(ranking.schedule(), ranking.uniform(width))
        above = counts[-1] if counts else wanted
        counts.append({name: min(count, above[name]) for name, count in wanted.items()})
    rungs = []
    for number, width in enumerate(widths):
        keep = {name: ranking.order(name)[:count] for name, count in counts[number].items()}
        depth = depths[number] if depths else 1.0
        name = f"w{round(width * 100):03d}" + (f"d{round(depth * 100):03d}" if depths else "")
        plan = KeepPlan(graph.fingerprint, keep, _removed(graph, depth))
        rungs.append(Rung(name, width, plan))
    return Ladder(tuple(rungs))


def _rungs_within(
    ranking: "_Ranking", budgets: Sequence[Budget], strategy: Strategy
) -> Iterator[Rung]:
    """Yield the unpruned rung, then one for each budget, each going on from the one before."""
    schedule = ranking.schedule()
    graph = schedule.graph
    yield ranking.rung(f"{_INITIALS[budgets[0].resources[0]]}100", schedule)
    above: dict[str, float] = {}
    for budget in budgets:
        unpruned = budget.spending(Selection(graph))
        limits = budget.limits(unpruned)
        name = budget.resources[0]
        if limits[name] >= above.get(name, float("inf")):
            raise BudgetError(
                f"the budgets of a ladder fall from rung to rung, received {name} of {above[name]:,.0f} and then "
                f"{limits[name]:,.0f}"
            )
        above |= limits
        if steps := schedule.steps_within(budget, strategy.order_steps(schedule, budget)):
            schedule = schedule.after(steps)
            share = limits[name] / unpruned[name]
            yield ranking.rung(f"{_INITIALS[name]}{round(100 * share):03d}", schedule)


class _Ranking:
    """The groups' channels, best first, and how many of them a width keeps."""

    def __init__(
        self, graph: LayerGraph, criterion: Criterion, round_to: int, *, blocks: bool = False
    ) -> None:
        self._graph = graph
        self._groups = [group for group in graph.prunable if group.permutable]
        if not self._groups:
            raise PlanError(
                f"no channels of model {graph.model.name!r} can be pruned; print(tfelastic.trace(model)) says why"
            )
        self._criterion = criterion
        self._round_to = round_to
        self._importance = Importance.of(graph, criterion, blocks=blocks)

    def order(self, name: str) -> tuple[int, ...]:
        """Return a group's units, best first."""
        return tuple(best_first(self._importance.units[name]).tolist())

    def uniform(self, width: float) -> Counts:
        """Return the same share of every group."""
        return {group.name: kept_units(group, width, self._round_to) for group in self._groups}

    def schedule(self) -> PruningSchedule:
        """Return the steps that the groups and blocks can take."""
        names = {group.name for group in self._groups}
        every = PruningSchedule.of(self._graph, self._importance, round_to=self._round_to)
        return replace(
            every,
            groups=tuple(steps for steps in every.groups if steps and steps[0].group in names),
        )

    def rung(self, name: str, schedule: PruningSchedule) -> Rung:
        """Return what is left after the steps that a schedule has taken, best channels first."""
        plan = schedule.plan(())
        counts = {g.name: len(plan.keep.get(g.name, range(g.size))) for g in self._groups}
        keep = {group: self.order(group)[:count] for group, count in counts.items()}
        width = sum(counts.values()) / sum(group.size for group in self._groups)
        return Rung(name, width, KeepPlan(self._graph.fingerprint, keep, plan.removed))

    def renew(self, counts: Counts) -> None:
        """Rank what `counts` keep anew; what was dropped stays behind it, in its old order."""
        kept = {name: self.order(name)[:count] for name, count in counts.items()}
        pruned = trace(prune(self._graph.model, KeepPlan(self._graph.fingerprint, kept)))
        scores = Importance.of(pruned, self._criterion).units
        units = dict(self._importance.units)
        for name, first in kept.items():
            dropped = self.order(name)[len(first) :]
            renewed = np.empty(len(first) + len(dropped))
            renewed[list(first)] = scores[name]
            renewed[list(dropped)] = -1.0 - np.arange(len(dropped))
            units[name] = renewed
        self._importance = replace(self._importance, units=units)


def _removed(graph: LayerGraph, depth: float) -> tuple[str, ...]:
    """Return the blocks that a depth removes: of every chain of blocks the last ones."""
    chains = _chains(graph)
    removed = {name for chain in chains for name in chain[round(depth * len(chain)) :]}
    return tuple(block.name for block in graph.blocks if block.name in removed)


def _chains(graph: LayerGraph) -> list[list[str]]:
    """Return the blocks that follow one another, nothing but layers without kernels between them."""
    blocks = {block.name: block for block in graph.blocks}
    chains: dict[int, list[str]] = defaultdict(list)
    # To which chain a tensor leads, by the number of the tensor that the chain starts from.
    head: dict[int, int] = {}
    for step in graph.steps:
        if block := blocks.get(step.path):
            head[block.end] = head.get(block.start, block.start)
            chains[head[block.end]].append(block.name)
        elif len(step.inputs) == len(step.outputs) == 1 and not _has_kernel(step.op):
            (before,), (after,) = step.inputs, step.outputs
            if before.index in head and before.shape == after.shape:
                head[after.index] = head[before.index]
    return list(chains.values())


def _has_kernel(op: keras.Operation) -> bool:
    return any(len(weight.shape) > 1 for weight in getattr(op, "weights", ()))


def _checked(widths: Sequence[float], depths: Sequence[float] | None) -> tuple[float, ...]:
    widths = tuple(float(width) for width in widths)
    if depths is None:
        if not widths or widths[0] != 1 or not all(a > b > 0 for a, b in pairwise(widths)):
            raise PlanError(
                f"the widths of a ladder fall from 1 and stay above 0, received {widths}"
            )
        return widths
    rungs = list(zip(widths, depths, strict=False))
    falling = all(a[0] >= b[0] > 0 and a[1] >= b[1] >= 0 and a != b for a, b in pairwise(rungs))
    if len(widths) != len(depths) or not rungs or rungs[0] != (1, 1) or not falling:
        raise PlanError(
            "widths and depths are as many, start from 1 and never rise, and one of them falls at every rung; "
            f"received widths {widths} and depths {tuple(depths)}"
        )
    return widths
