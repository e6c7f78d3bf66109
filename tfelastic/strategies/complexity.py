"""`Complexity`: the group to shrink is chosen by its share of the network's complexity, and by nothing else."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import keras
import numpy as np

from tfelastic._cost import Budget
from tfelastic._plan import KeepPlan, Selection
from tfelastic.criteria import Criterion, resolve
from tfelastic.errors import BudgetError, PlanError
from tfelastic.graph import LayerGraph, trace
from tfelastic.strategies.base import STRATEGIES, Strategy
from tfelastic.strategies.importance import Importance
from tfelastic.strategies.schedule import PruningSchedule, PruningStep
from tfelastic.strategies.shares import Mode, Shares, shares

Sampling = Literal["weighted", "largest"]


@dataclass(frozen=True)
class TraceStep:
    """One step of a pruning trace.

    Attributes:
        group: The group that was cut.
        share: Its share of the network's complexity before the step, 0 to 1.
        keep: How many of its units stay.
        remaining: The network's complexity after the step.
    """

    group: str
    share: float
    keep: int
    remaining: int


@dataclass(frozen=True)
class PruningTrace:
    """How a complexity-driven plan came about: which group was cut at each step, and what was left.

    Attributes:
        strategy: The strategy that chose the groups.
        total: The complexity of the unpruned network in the strategy's mode: parameters, operations or bytes.
        steps: The steps, in order.
        plan: The plan that they end in.
    """

    strategy: "Complexity"
    total: int
    steps: tuple[TraceStep, ...]
    plan: KeepPlan

    @property
    def remaining(self) -> int:
        """The complexity that is left at the end."""
        return self.steps[-1].remaining if self.steps else self.total

    def to_json(self) -> dict[str, Any]:
        """Return the trace as plain data."""
        return {
            "strategy": dict(vars(self.strategy)),
            "total": self.total,
            "steps": [dict(vars(step)) for step in self.steps],
            "plan": self.plan.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "PruningTrace":
        """Return the trace that `to_json` gave."""
        try:
            steps = tuple(TraceStep(**step) for step in data["steps"])
            strategy = Complexity(**data["strategy"])
            return cls(strategy, int(data["total"]), steps, KeepPlan.from_json(data["plan"]))
        except (KeyError, TypeError) as cause:
            raise PlanError(
                "not a pruning trace: expected an object with 'strategy', 'total', 'steps' and 'plan', "
                f"received {data!r:.120}"
            ) from cause

    def __str__(self) -> str:
        frequent = Counter(step.group for step in self.steps).most_common(3)
        return (
            f"{len(self.steps)} steps by {self.strategy}: {self.total:,} -> {self.remaining:,} "
            f"({self.remaining / max(self.total, 1):.1%} left); cut most often: "
            + (", ".join(f"{group} ({times})" for group, times in frequent) or "none")
        )


class _Position(Criterion):
    """Ranks nothing: the units that come first are kept."""

    def score(self, graph: LayerGraph) -> dict[str, np.ndarray]:
        return {group.name: np.arange(group.size, 0.0, -1.0) for group in graph.prunable}


@STRATEGIES.register("complexity")
@dataclass(frozen=True)
class Complexity(Strategy):
    """Shrinks a group that is chosen by its share of the network's complexity; then shares are taken anew.

    Nothing is ranked: of each group the channels that come first stay. The pruned network is meant to be trained
    from scratch (see `tfelastic.reinitialize`), so neither a pretrained network nor fine-tuning is needed.

    A layer's complexity belongs to the group whose channels it puts out, and is shared by channel count where it
    puts out several groups' (after a Concatenate, say). A group's share is what belongs to it, over the complexity
    of the whole network, layers that cannot shrink included. For layers that are coupled, such as those of a
    residual stage, their one group thus holds what they hold together; BatchNorm, depthwise convolutions and
    additions count with the group whose channels they work on.

    By hand, on an 8 x 8 image with 3 channels, all without biases: `a`, a 3 x 3 convolution to 4 channels; `b`, one
    to 8 channels; a global average; `logits`, a dense layer to 10 classes, which as the output is never pruned.

    | | params | flops | memory | peak (while `b` runs) |
    |---|---|---|---|---|
    | a | 3·3·3·4 = 108 | 108·64 = 6,912 | 4·64 = 256 | 256 |
    | b | 3·3·4·8 = 288 | 288·64 = 18,432 | 8·64 + 8 = 520 | 8·64 = 512 |
    | logits | 8·10 = 80 | 80 | 10 | |
    | total | 476 | 25,424 | 192 + 786 = 978 | 768 |
    | share of a | 108 / 476 | 6,912 / 25,424 | 256 / 978 | 1 / 3 |
    | share of b | 288 / 476 | 18,432 / 25,424 | 520 / 978 | 2 / 3 |

    (The image's 192 bytes and the averages, 8 bytes that belong to `b`, count towards memory.) The groups that can
    shrink are `a` and `b`, so PA draws `a` with a probability of 108 / (108 + 288).

    Source: complexity-driven CNN pruning, arXiv 2208.12816: its modes PA, FA and MA are `"params"`, `"flops"` and
    `"memory"`. Ours: that memory is activations alone, the mode `"peak"`, and the sampling `"largest"`.

    Attributes:
        mode: What complexity is: `"params"`; `"flops"`, multiply-accumulate operations; `"memory"`, the int8
            activations that a device makes in a run, in bytes; `"peak"`, those alive at the moment when they are
            most, which a tensor arena must hold. Once nothing at that moment can shrink, the most crowded moment
            at which something can takes its place.
        sampling: `"weighted"` draws at random, each group with a probability in proportion to its share;
            `"largest"` takes the largest share, of equal ones the first in the network.
        seed: Settles what `"weighted"` draws.

    Raises:
        BudgetError: The mode or the sampling is unknown.

    Examples:
        >>> import keras, tfelastic as te
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(32, 3, name="a"),
        ...                           keras.layers.Conv2D(32, 3, name="b"), keras.layers.GlobalMaxPooling2D(),
        ...                           keras.layers.Dense(10)])
        >>> strategy = te.Complexity(mode="params", sampling="largest")
        >>> plan = te.plan(model, strategy=strategy, budget=te.Budget(params=0.5))
        >>> {name: len(units) for name, units in plan.keep.items()}
        {'b': 8}
    """

    mode: Mode = "params"
    sampling: Sampling = "weighted"
    seed: int = 0

    criterion = _Position()

    def __post_init__(self) -> None:
        for name, kinds in (("mode", Mode), ("sampling", Sampling)):
            if getattr(self, name) not in get_args(kinds):
                raise BudgetError(
                    f"unknown {name} of complexity {getattr(self, name)!r}; known: "
                    f"{', '.join(get_args(kinds))}"
                )

    def order_steps(self, schedule: PruningSchedule, budget: Budget) -> Iterator[PruningStep]:
        """Yield the steps of the groups that are drawn, for as long as one has a share."""
        del budget
        return (step for step, _ in self._walk(schedule))

    def pruning_trace(
        self,
        model: keras.Model | LayerGraph,
        *,
        budget: Budget,
        round_to: int = 8,
        floor: float = 0.0,
        protect: Sequence[str] = (),
    ) -> PruningTrace:
        """Return the plan that `tfelastic.plan` makes with this strategy, and every step that led to it.

        Takes and raises what `tfelastic.plan` does.
        """
        graph = model if isinstance(model, LayerGraph) else trace(model)
        importance = Importance.of(graph, resolve(self.criterion))
        schedule = PruningSchedule.of(
            graph, importance, round_to=round_to, floor=floor, protect=protect
        )
        recorded: list[TraceStep] = []

        def recorded_steps() -> Iterator[PruningStep]:
            for step, record in self._walk(schedule):
                recorded.append(record)
                yield step

        taken = schedule.steps_within(budget, recorded_steps())
        total = shares(Selection(graph), self.mode).total
        return PruningTrace(self, total, tuple(recorded[: len(taken)]), schedule.plan(taken))

    def _walk(self, schedule: PruningSchedule) -> Iterator[tuple[PruningStep, TraceStep]]:
        rng = np.random.default_rng(self.seed)
        ahead = {steps[0].group: list(steps[::-1]) for steps in schedule.groups if steps}
        taken: list[PruningStep] = []
        now = shares(Selection(schedule.graph, schedule.plan(())), self.mode, among=ahead.keys())
        while group := self.draw(now, list(ahead), rng):
            step = ahead[group].pop()
            if not ahead[group]:
                del ahead[group]
            taken.append(step)
            before = now
            now = shares(
                Selection(schedule.graph, schedule.plan(taken)), self.mode, among=ahead.keys()
            )
            yield step, TraceStep(group, before.of(group), step.keep, now.total)

    def draw(self, now: Shares, groups: Sequence[str], rng: np.random.Generator) -> str | None:
        """Return which of `groups` shrinks next; `None` where none of them has a share."""
        weights = np.array([now.attribution.get(group, 0.0) for group in groups])
        if not weights.any():
            return None
        if self.sampling == "largest":
            return groups[int(weights.argmax())]
        return groups[int(rng.choice(len(groups), p=weights / weights.sum()))]
