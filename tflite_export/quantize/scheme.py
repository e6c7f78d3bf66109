"""Schemes: the ways a network's numbers are stored and computed in a .tflite file, as plain data.

| scheme   | weights | activations | input, output | samples         |
|----------|---------|-------------|---------------|-----------------|
| float32  | float32 | float32     | float32       | not needed      |
| float16  | float16 | float32     | float32       | not needed      |
| dynamic  | int8    | float32     | float32       | not needed      |
| int8     | int8    | int8        | int8          | calibrate       |
| int16x8  | int8    | int16       | float32       | calibrate       |
| int8-qat | int8    | int8        | int8          | train the net   |

An int8 input takes raw pixels by one subtraction, `uint8 - 128`. Symmetric int16 has no such form,
so int16x8 converts at its borders, inside the file, and a device feeds it like a float network.

`quantize/post_training.py` carries a scheme out, and `quantize/qat.py` one that tunes the network. What else
depends on the scheme reads these fields, never the name.
"""

import difflib
from dataclasses import InitVar, asdict, dataclass
from typing import Any, Literal

from tflite_export.errors import SchemeError

IoType = Literal["float32", "int8", "uint8", "int16"]

RAW_PIXEL_QUANTIZATION = {"int8": (1.0, -128), "uint8": (1.0, 0)}
"""Scale and zero point of an image's input: the device computes `uint8 - 128`, or nothing at all."""


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far a .tflite may lie from its Keras model.

    Differences of an output's values are in units of their scale: the standard deviation of all that Keras computes
    for it, over samples and positions; of logits that is the size of the gaps between classes.

    Attributes:
        mean_difference: Largest mean absolute difference of an output's values, in units of their scale.
        max_difference: Largest absolute difference of any single value, in the same units.
        top1_agreement: Smallest share of decisions (classes, or yes and no) that both have in common, 0 to 1; asked
            only of outputs that decide something.
        score_loss: Largest loss of a score that is a share, such as accuracy, mean IoU or R2; 0.01 is one point.
        relative_loss: Largest loss of any other score, in the metric's unit (`tfelastic.Metric.unit`): of a mean
            error, as a share of the error that the mean answer would make.
        within_one_step: Smallest share of the outputs in which TFLM and LiteRT differ by at most one
            step, 0 to 1; asked only where TFLM is the target.

    Args:
        accuracy_drop: `score_loss`, by its name where the score is the accuracy.
    """

    mean_difference: float
    max_difference: float
    top1_agreement: float
    score_loss: float = 0.01
    relative_loss: float = 0.05
    within_one_step: float = 0.999
    accuracy_drop: InitVar[float | None] = None

    def __post_init__(self, accuracy_drop: float | None) -> None:
        if accuracy_drop is not None:
            object.__setattr__(self, "score_loss", accuracy_drop)
        for name, value in asdict(self).items():
            if not value >= 0:
                raise SchemeError(f"the tolerance's {name} must be at least 0, got {value!r}")
        for name in ("top1_agreement", "within_one_step"):
            if (share := getattr(self, name)) > 1:
                raise SchemeError(f"{name} is a share from 0 to 1, got {share!r}")

    def to_json(self) -> dict[str, float]:
        """Return the bounds as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, float]) -> "Tolerance":
        """Read what `to_json` wrote."""
        return cls(**data)


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """A quantization choice.

    Attributes:
        name: What users write: `convert(model, scheme=name)`.
        weight_bytes: Bytes of one kernel value in the file.
        activation_bytes: Bytes of one value between operations.
        io_dtype: Type of the file's input and output tensors, unless another is asked for.
        other_io_dtypes: Types that they may have instead.
        ops: The only operator sets allowed, as names in `tf.lite.OpsSet`: never SELECT_TF_OPS,
            which microcontrollers cannot run.
        calibrated: Whether representative samples are needed to set the activations' ranges.
        tolerance: How far the result may lie from Keras unless the caller says otherwise.
        optimize: Whether the converter quantizes at all.
        weight_type: Type to store the weights in, as a name in `tf`, where it is not the default.
        headroom: How many times as large as the samples the values are that the activations' ranges are set for: 16
            bits have levels to spare for what no sample reaches, 8 bits have none.
        tuned: Whether the network is trained on the samples, with its weights and activations rounded.
    """

    name: str
    weight_bytes: int
    activation_bytes: int
    io_dtype: IoType
    ops: tuple[str, ...]
    tolerance: Tolerance
    other_io_dtypes: tuple[IoType, ...] = ()
    calibrated: bool = False
    optimize: bool = True
    weight_type: str | None = None
    headroom: float = 1.0
    tuned: bool = False

    @property
    def integer_only(self) -> bool:
        """Whether nothing is computed in floating point."""
        return self.io_dtype == "int8"

    def io_type(self, asked: str | None) -> str:
        """Return the type of inputs or outputs: the one asked for, or the scheme's own.

        Raises:
            SchemeError: The scheme does not have it.
        """
        known = (self.io_dtype, *self.other_io_dtypes)
        if asked is not None and asked not in known:
            raise SchemeError(
                f"scheme {self.name!r} has inputs and outputs of type {' or '.join(known)}, not {asked!r}"
            )
        return asked or self.io_dtype

    def to_json(self) -> dict[str, Any]:
        """Return the scheme as plain data."""
        return asdict(self)


# The default tolerances are two to four times what pretrained CIFAR-10 nets show over 500 test images
# (ResNet-20: mean difference 0.036 in int8, 0.013 in dynamic, 0.012 in int16x8; ResNet-56 in int8: mean
# 0.044, largest 0.43), so that briefly trained and narrow variants pass too; int8's largest single
# difference, of one logit in thousands, is an outlier that a quarter-width net takes to 1.3. They catch a
# wrong file; one wrong channel may be seen in float32 alone. A mean error cannot grow by more than the outputs'
# mean difference, and `relative_loss` is at most half of what that may be, but where that is next to nothing.
SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme(
            name="float32",
            weight_bytes=4,
            activation_bytes=4,
            io_dtype="float32",
            ops=("TFLITE_BUILTINS",),
            optimize=False,
            tolerance=Tolerance(
                mean_difference=1e-4, max_difference=1e-3, top1_agreement=0.99, relative_loss=0.001
            ),
        ),
        Scheme(
            name="float16",
            weight_bytes=2,
            activation_bytes=4,
            io_dtype="float32",
            ops=("TFLITE_BUILTINS",),
            weight_type="float16",
            tolerance=Tolerance(
                mean_difference=5e-3, max_difference=0.05, top1_agreement=0.98, relative_loss=0.005
            ),
        ),
        Scheme(
            name="dynamic",
            weight_bytes=1,
            activation_bytes=4,
            io_dtype="float32",
            ops=("TFLITE_BUILTINS",),
            tolerance=Tolerance(
                mean_difference=0.05, max_difference=0.5, top1_agreement=0.95, relative_loss=0.03
            ),
        ),
        Scheme(
            name="int8",
            weight_bytes=1,
            activation_bytes=1,
            io_dtype="int8",
            other_io_dtypes=("uint8", "float32"),
            ops=("TFLITE_BUILTINS_INT8",),
            calibrated=True,
            tolerance=Tolerance(
                mean_difference=0.1, max_difference=2.0, top1_agreement=0.9, relative_loss=0.05
            ),
        ),
        Scheme(
            name="int16x8",
            weight_bytes=1,
            activation_bytes=2,
            io_dtype="float32",
            other_io_dtypes=("int16",),
            ops=("EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",),
            calibrated=True,
            headroom=2.0,
            tolerance=Tolerance(
                mean_difference=0.05, max_difference=0.5, top1_agreement=0.95, relative_loss=0.03
            ),
        ),
        Scheme(
            name="int8-qat",
            weight_bytes=1,
            activation_bytes=1,
            io_dtype="int8",
            other_io_dtypes=("uint8", "float32"),
            ops=("TFLITE_BUILTINS_INT8",),
            calibrated=True,
            tuned=True,
            tolerance=Tolerance(
                mean_difference=0.2, max_difference=4.0, top1_agreement=0.85, relative_loss=0.1
            ),
        ),
    )
}
"""The quantization schemes, by name."""


def get_scheme(name: str) -> Scheme:
    """Return the scheme called `name`.

    Raises:
        SchemeError: No scheme has that name; the text lists those there are.
    """
    if name in SCHEMES:
        return SCHEMES[name]
    close = difflib.get_close_matches(name, SCHEMES, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise SchemeError(f"unknown scheme {name!r}{hint}; known: {', '.join(SCHEMES)}")
