"""The recipe of an elastic network: its ladder, its trainings and its selector."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from pipelines.recipe import Recipe, Training
from pipelines.records import Record, require, require_whole


@dataclass(frozen=True)
class RungBudgets(Record):
    """What the rungs below the first may spend: shares of what the whole model spends of one resource.

    A latency is priced by `table`, a file that `tfelastic.LatencyTable.save` wrote; without one, the model's operations
    are measured on this machine.
    """

    resource: Literal[
        "latency_us", "macs", "params", "peak_bytes", "tflite_bytes", "resident_bytes"
    ]
    shares: tuple[float, ...]
    table: str | None = None

    def __post_init__(self) -> None:
        falling = all(a > b for a, b in pairwise((1.0, *self.shares, 0.0)))
        require(
            bool(self.shares) and falling, "shares", "shares that fall from below 1", self.shares
        )
        latency = self.resource == "latency_us"
        require(latency or self.table is None, "table", "none beside this resource", self.table)


@dataclass(frozen=True)
class LadderSpec(Record):
    """How narrow and how deep the rungs are, or what they may spend, as in `tfelastic.ladder`.

    Without widths and budgets the widths are 1, 0.75, 0.5 and 0.25. The strategy is by default `uniform` for widths,
    and for budgets `greedy`.
    """

    widths: tuple[float, ...] | None = None
    depths: tuple[float, ...] | None = None
    budgets: RungBudgets | None = None
    criterion: str = "magnitude"
    strategy: Literal["uniform", "global", "greedy", "knapsack"] | None = None
    round_to: int = 8

    def __post_init__(self) -> None:
        if self.widths is not None:
            falling = all(a > b for a, b in pairwise(self.widths))
            from_one = bool(self.widths) and self.widths[0] == 1.0 and self.widths[-1] > 0
            # With depths, which may fall instead, `tfelastic.ladder` checks both together.
            require(
                from_one and (falling or self.depths is not None),
                "widths",
                "widths that fall from 1 and stay above 0",
                self.widths,
            )
        alone = self.budgets is None or (self.widths is None and self.depths is None)
        require(alone, "budgets", "none beside widths or depths", self.budgets)
        require_whole("round_to", self.round_to)


@dataclass(frozen=True)
class ElasticTraining(Training):
    """The training of all rungs together; with `distillation` the others learn from the widest one's outputs.

    With `patience` it stops by the widest rung's loss, since the others learn from that one. Of the rungs between the
    widest and the narrowest a step trains `middle_rungs`, 1 or 2, drawn anew where there are more.
    """

    distillation: bool = True
    middle_rungs: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole("middle_rungs", self.middle_rungs, most=2)


@dataclass(frozen=True)
class Published(Record):
    """A paper's accuracies, in percent, of its original net and of the rungs by their names here."""

    source: str
    original: float
    rungs: dict[str, float]


@dataclass(frozen=True)
class Comparison(Record):
    """What joint training is compared with: prune-and-grow, and each rung's net trained independently.

    All start from the baseline, share its ladder, and train by the schedule of `elastic`, so for as many epochs.

    With `distillation` the levels of prune-and-grow learn from the original too. `published` are figures to set
    beside ours.
    """

    distillation: bool = True
    published: Published | None = None


@dataclass(frozen=True)
class SelectorSpec(Record):
    """Under which budgets, in microseconds, the selector runs, and over how many test examples.

    `auto` takes the budgets that lie midway between neighbouring variants' p90 latencies;
    `requests: null` takes every test example.
    """

    budgets: Literal["auto"] | tuple[float, ...] = "auto"
    requests: int | None = None

    def __post_init__(self) -> None:
        if self.budgets != "auto":
            good = bool(self.budgets) and all(float(budget) > 0 for budget in self.budgets)
            require(good, "budgets", "'auto' or microseconds above 0", self.budgets)
        require_whole("requests", self.requests)


@dataclass(frozen=True, kw_only=True)
class ElasticRecipe(Recipe):
    """A run that trains one elastic network, exports it and runs its selector.

    Examples:
        >>> ElasticRecipe(name="tiny").ladder.round_to
        8
    """

    ladder: LadderSpec = field(default_factory=LadderSpec)
    elastic: ElasticTraining = field(default_factory=ElasticTraining)
    comparison: Comparison | None = None
    selector: SelectorSpec = field(default_factory=SelectorSpec)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_validation("elastic", self.elastic)
        require(
            self.elastic.patience is None or self.comparison is None,
            "elastic.patience",
            "none beside a comparison, whose trainings are equally long",
            self.elastic.patience,
        )
