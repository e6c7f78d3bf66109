"""The sections that every recipe has, each a frozen dataclass whose constructor checks its values."""

from dataclasses import dataclass, field
from typing import Any, Literal

from pipelines.records import Record, require, require_whole

#: How the name of a model file ends.
MODEL_SUFFIX = ".keras"

_LARGEST_IMAGE = 16_384

#: How training images are varied.
Augmentation = Literal["shift", "shift-flip"] | None

#: Over which devices the batches of a training are spread: those of one machine that TensorFlow sees, or all that JAX
#: sees, of several processes too; `multiworker` is known to be refused.
Distribution = Literal["mirrored", "jax-data-parallel", "multiworker"]

#: Types of a .tflite's inputs and outputs.
BorderType = Literal["float32", "int8", "uint8", "int16"]

#: What an output answers: the class of an example, which of several labels hold, the class of every pixel, or values.
TaskName = Literal["classification", "multilabel", "segmentation", "regression"]


@dataclass(frozen=True)
class Data(Record):
    """Which examples to train and to test with.

    `source` is what `tfelastic.data.load` takes: `digits`, `synthetic:NAME`, a .npz file, a folder of images by class
    or with masks, a tfds name or a prepared tfds directory. Images are resized to `image_size`, the side of a square or
    [height, width]. `features` names the input's and the target's feature of tfds, where they are not its
    `supervised_keys`. `limit` and `test_limit` keep so many examples to train and to test
    with, all classes in proportion. `validation_images` of those to train with are held out from every training, for
    early stopping. `data_dir` is where tfds keeps its data sets, and is no part of a
    run's identity.
    """

    source: str = "digits"
    data_dir: str | None = None
    image_size: int | tuple[int, ...] | None = None
    features: tuple[str, ...] | None = None
    limit: int | None = None
    test_limit: int | None = None
    validation_images: int | None = None

    def __post_init__(self) -> None:
        require(bool(self.source), "source", "the name or path of a data set", self.source)
        sides = self.image_size if isinstance(self.image_size, tuple) else (self.image_size,) * 2
        require(len(sides) == 2, "image_size", "pixels per side, or [height, width]", list(sides))
        for side in sides:
            require_whole("image_size", side, most=_LARGEST_IMAGE)
        require_whole("limit", self.limit)
        require_whole("test_limit", self.test_limit)
        require_whole("validation_images", self.validation_images)
        pair = self.features is None or len(self.features) == 2
        require(pair, "features", "the names of an input's and a target's feature", self.features)


@dataclass(frozen=True)
class WeightedMetric(Record):
    """One output's metric, and what it is multiplied by in the sum over all outputs."""

    name: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        require(self.weight > 0, "weight", "more than 0", self.weight)


@dataclass(frozen=True)
class Model(Record):
    """Which net of the zoo and its options, or which `.keras` file; and the pretrained weights that it starts from.

    In a recipe `model: my.keras` is short for `model: {name: my.keras}`; a file's path is relative to the recipe's.
    The model takes what the data hold, images as raw pixels, 0 to 255, and returns scores, probabilities or values.
    `weights` is a file that `tfelastic.zoo.load_resnet_cifar` reads; without one the net starts from random weights.
    """

    name: str = "resnet8"
    options: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None

    def __post_init__(self) -> None:
        taken = sorted({"name", "input_shape"} & self.options.keys())
        require(not taken, "options", "none that the name and the data decide", taken)

    @property
    def is_file(self) -> bool:
        """Whether the model is a file of the user's, not one of the zoo."""
        return self.name.endswith(MODEL_SUFFIX)


@dataclass(frozen=True)
class Training(Record):
    """One training.

    The learning rate rises linearly during the first `warmup` (a share of all steps), then falls
    along a cosine to 0. Where a recipe gives none, it is 0.1 of sgd and 0.001 of adamw, and a tenth of that for a net
    that comes with trained weights, which a higher one would undo.

    With `patience` the training stops early, once the loss of the held-out examples has not fallen for so many epochs,
    and ends with the weights of its best epoch.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.1
    warmup: float = 0.1
    weight_decay: float = 5e-4
    augment: Augmentation = "shift-flip"
    patience: int | None = None

    def __post_init__(self) -> None:
        require_whole("epochs", self.epochs)
        require_whole("batch_size", self.batch_size)
        require_whole("patience", self.patience)
        require(self.learning_rate > 0, "learning_rate", "more than 0", self.learning_rate)
        require(0 <= self.warmup < 1, "warmup", "a share from 0 to below 1", self.warmup)
        require(self.weight_decay >= 0, "weight_decay", "at least 0", self.weight_decay)

    def default_rate(self, *, trained: bool) -> float:
        """Return the learning rate where a recipe gives none.

        A low rate rather than a range test: it needs no data, is the same in every run, and stands in the recipe.
        """
        rate = {"sgd": 0.1, "adamw": 0.001}[self.optimizer]
        return rate / 10 if trained else rate


@dataclass(frozen=True)
class Limits(Record):
    """A budget: shares of the original up to 1, or amounts above; all that are given hold."""

    params: float | None = None
    macs: float | None = None
    peak_bytes: float | None = None
    tflite_bytes: float | None = None

    def __post_init__(self) -> None:
        require(bool(self.given), "budget", "at least one limit, such as params: 0.5", {})
        for key, value in self.given.items():
            good = 0 < value <= 1 or (value > 1 and float(value).is_integer())
            require(good, key, "more than 0: a share up to 1, or a whole amount", value)

    @property
    def given(self) -> dict[str, Any]:
        """The limits that are set."""
        return {key: value for key, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Export(Record):
    """How nets become .tflite files.

    `calibration` examples set the quantization ranges. `tolerance` scales the scheme's bounds on how
    far a variant may stray from its Keras model; at 1, int8 may lose 1 point of accuracy. One that
    `strays` is left out of the bundle, kept, or stops the run. `target` is what will run the
    variants; older forks of TFLM need `per_channel_dense: false`. `input_type` and `output_type` are
    the types at the border of a .tflite where they are not the scheme's: float32 ones are quantized
    inside. `raw_pixels` says whether inputs of an image's shape are images, where the data do not tell.
    `keep_all` packs also variants that this machine runs hardly faster than another, or slower and no
    more accurate; what it says of a phone it does not say of a board, so for TFLM all are kept.
    """

    scheme: str = "int8"
    target: Literal["phone", "tflm"] = "phone"
    per_channel_dense: bool | None = None
    input_type: BorderType | None = None
    output_type: BorderType | None = None
    raw_pixels: bool | None = None
    calibration: int = 256
    tolerance: float = 1.0
    strays: Literal["leave out", "keep", "stop"] = "leave out"
    keep_all: bool = False

    def __post_init__(self) -> None:
        require_whole("calibration", self.calibration)
        require(self.tolerance >= 0, "tolerance", "at least 0", self.tolerance)


@dataclass(frozen=True)
class ProfileSpec(Record):
    """How latencies are measured."""

    runs: int = 200
    warmup: int = 20
    threads: int = 1

    def __post_init__(self) -> None:
        require_whole("runs", self.runs)
        require_whole("warmup", self.warmup, least=0)
        require_whole("threads", self.threads)
