"""The sections of a recipe, each a frozen dataclass whose constructor checks its values."""

from dataclasses import dataclass, field
from typing import Any, Literal

from pipelines.reading import require


@dataclass(frozen=True)
class Data:
    """Which images to learn and to judge by.

    `source` is `digits`, a tfds name, a prepared tfds directory or an image folder; `data_dir` is
    where tfds keeps its data sets, and is no part of a run's identity.
    """

    source: str = "digits"
    data_dir: str | None = None
    image_size: int | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        require(bool(self.source), "source", "the name or path of a data set", self.source)
        for key in ("image_size", "limit"):
            value = getattr(self, key)
            require(value is None or value >= 1, key, "null or at least 1", value)


@dataclass(frozen=True)
class Model:
    """Which net of the zoo, its options, and the file of pretrained weights that it starts from.

    `weights` is a file that `tfelastic.zoo.load_resnet_cifar` reads; without one the net starts from random
    weights.
    """

    name: str = "resnet8"
    options: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None


@dataclass(frozen=True)
class LadderSpec:
    """How narrow and how deep the rungs are and which channels they keep, as in `tfelastic.ladder`."""

    widths: tuple[float, ...] = (1.0, 0.75, 0.5, 0.25)
    depths: tuple[float, ...] | None = None
    criterion: str = "magnitude"
    strategy: Literal["uniform", "global"] = "uniform"
    round_to: int = 8

    def __post_init__(self) -> None:
        falling = all(a > b for a, b in zip(self.widths, self.widths[1:], strict=False))
        whole = bool(self.widths) and self.widths[0] == 1.0 and self.widths[-1] > 0
        # With depths, which may fall instead, `tfelastic.ladder` judges both together.
        require(
            whole and (falling or self.depths is not None),
            "widths",
            "widths that fall from 1 and stay above 0",
            self.widths,
        )
        require(self.round_to >= 1, "round_to", "at least 1", self.round_to)


@dataclass(frozen=True)
class Training:
    """One training.

    The learning rate rises linearly during the first `warmup` (a share of all steps), then falls
    along a cosine to 0.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.1
    warmup: float = 0.1
    weight_decay: float = 5e-4
    augment: Literal["shift", "shift-flip"] | None = "shift-flip"

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "epochs", "at least 1", self.epochs)
        require(self.batch_size >= 1, "batch_size", "at least 1", self.batch_size)
        require(self.learning_rate > 0, "learning_rate", "more than 0", self.learning_rate)
        require(0 <= self.warmup < 1, "warmup", "a share from 0 to below 1", self.warmup)
        require(self.weight_decay >= 0, "weight_decay", "at least 0", self.weight_decay)


@dataclass(frozen=True)
class ElasticTraining(Training):
    """The training of all rungs together; `distillation` lets the widest teach the others."""

    distillation: bool = True


@dataclass(frozen=True)
class Published:
    """A paper's accuracies, in percent, of its original net and of the rungs by their names here."""

    source: str
    original: float
    rungs: dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """What joint training is compared with: prune-and-grow, and each rung's net trained by itself.

    All start from the baseline, share its ladder, and train by the schedule of `elastic`, so for as many epochs.

    `distillation` lets the original teach the levels of prune-and-grow. `published` are figures to set beside ours.
    """

    distillation: bool = True
    published: Published | None = None


@dataclass(frozen=True)
class Limits:
    """A budget: shares of the whole up to 1, or amounts above; all that are given hold."""

    params: float | None = None
    macs: float | None = None
    peak_bytes: float | None = None
    tflite_bytes: float | None = None

    def __post_init__(self) -> None:
        require(bool(self.given), "budget", "at least one limit, such as params: 0.5", {})
        for key, value in self.given.items():
            require(value > 0, key, "more than 0", value)

    @property
    def given(self) -> dict[str, Any]:
        """The limits that are set."""
        return {key: value for key, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class StepTuning:
    """The fine-tuning after each removed block, at a constant learning rate.

    Every step takes `images` others, or all where that is null. With `distillation` the baseline teaches beside the
    labels.
    """

    images: int | None = None
    epochs: int = 1
    batch_size: int = 128
    learning_rate: float = 0.01
    augment: Literal["shift", "shift-flip"] | None = "shift-flip"
    distillation: bool = True

    def __post_init__(self) -> None:
        for key in ("epochs", "batch_size"):
            require(getattr(self, key) >= 1, key, "at least 1", getattr(self, key))
        require(self.images is None or self.images >= 1, "images", "at least 1", self.images)
        require(self.learning_rate > 0, "learning_rate", "more than 0", self.learning_rate)


@dataclass(frozen=True)
class FinishTraining(Training):
    """The last training of what the removal left; with `distillation` the baseline teaches beside the labels."""

    distillation: bool = True


@dataclass(frozen=True)
class BlockRemoval:
    """Blocks removed by direct measurement.

    First `compared` blocks, beside as many random ones and those with the smallest weights; then anew, weighed `per`
    block or saving, until the net is within `budget`, which is the result. `judges` training images are held out from
    every training: on them candidates are measured. `tests` test images (null: all) judge the net that each step
    leaves. The result is then trained by the schedule `finish`; so is the whole net, for as long. Width cuts of a
    step's MACs have channel counts that are multiples of `round_to`.
    """

    budget: Limits
    compared: int = 8
    per: Literal["block", "saving"] = "saving"
    judges: int = 2000
    tests: int | None = None
    tuning: StepTuning = field(default_factory=StepTuning)
    finish: FinishTraining = field(default_factory=FinishTraining)
    round_to: int = 4

    def __post_init__(self) -> None:
        require(self.compared >= 1, "compared", "at least 1 block", self.compared)
        require(self.judges >= 1, "judges", "at least 1 image", self.judges)
        require(self.tests is None or self.tests >= 1, "tests", "null or at least 1", self.tests)
        require(self.round_to >= 1, "round_to", "at least 1", self.round_to)


@dataclass(frozen=True)
class Contest:
    """Nets pruned to one budget: by each mode of complexity, and by rank."""

    budget: Limits
    modes: tuple[Literal["params", "flops", "memory", "peak"], ...] = (
        "params",
        "flops",
        "memory",
        "peak",
    )

    def __post_init__(self) -> None:
        once = bool(self.modes) and len(set(self.modes)) == len(self.modes)
        require(once, "modes", "each mode once, and at least one", self.modes)


@dataclass(frozen=True)
class ComplexityPruning:
    """Nets pruned by complexity and trained once, beside train, prune by L2 rank, fine-tune.

    All train by the schedule of `baseline`; fine-tuning does with the peak learning rate `fine_tuning_rate`.
    """

    contests: tuple[Contest, ...]
    sampling: Literal["weighted", "largest"] = "weighted"
    fine_tuning_rate: float = 0.01
    round_to: int = 8
    floor: float = 0.0

    def __post_init__(self) -> None:
        budgets = [contest.budget for contest in self.contests]
        once = bool(budgets) and len(set(budgets)) == len(budgets)
        require(once, "contests", "at least one, and each budget once", budgets)
        require(self.fine_tuning_rate > 0, "fine_tuning_rate", "more than 0", self.fine_tuning_rate)
        require(self.round_to >= 1, "round_to", "at least 1", self.round_to)
        require(0 <= self.floor <= 1, "floor", "a share from 0 to 1", self.floor)


@dataclass(frozen=True)
class Export:
    """How rungs become .tflite files.

    `calibration` images set the quantization ranges. `tolerance` scales the scheme's bounds on how
    far a variant may stray from its Keras model; at 1, int8 may lose 1 point of accuracy. `target` is
    what will run the variants; older forks of TFLM need `per_channel_dense: false`.
    """

    scheme: str = "int8"
    target: Literal["phone", "tflm"] = "phone"
    per_channel_dense: bool = True
    calibration: int = 256
    tolerance: float = 1.0

    def __post_init__(self) -> None:
        require(self.calibration >= 1, "calibration", "at least 1 image", self.calibration)
        require(self.tolerance >= 0, "tolerance", "at least 0", self.tolerance)


@dataclass(frozen=True)
class ProfileSpec:
    """How latencies are measured."""

    runs: int = 200
    warmup: int = 20
    threads: int = 1

    def __post_init__(self) -> None:
        require(self.runs >= 1, "runs", "at least 1", self.runs)
        require(self.warmup >= 0, "warmup", "at least 0", self.warmup)
        require(self.threads >= 1, "threads", "at least 1", self.threads)


@dataclass(frozen=True)
class SelectorSpec:
    """Under which budgets, in microseconds, the selector runs, and over how many test images.

    `auto` takes the budgets that lie midway between neighbouring variants' p90 latencies;
    `requests: null` takes the whole test split.
    """

    budgets: Literal["auto"] | tuple[float, ...] = "auto"
    requests: int | None = None

    def __post_init__(self) -> None:
        if self.budgets != "auto":
            good = bool(self.budgets) and all(float(budget) > 0 for budget in self.budgets)
            require(good, "budgets", "'auto' or microseconds above 0", self.budgets)
        require(
            self.requests is None or self.requests >= 1,
            "requests",
            "null or at least 1",
            self.requests,
        )
