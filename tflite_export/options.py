"""How a model is converted, as one value that every step of an export hands on as it is."""

from dataclasses import dataclass
from typing import Literal

from tflite_export.arena import get_kernels
from tflite_export.errors import SchemeError
from tflite_export.quantize.qat import Tuning
from tflite_export.quantize.scheme import get_scheme
from tflite_export.runtimes.targets import get_target


@dataclass(frozen=True, kw_only=True)
class ConversionOptions:
    """How a model is converted.

    Attributes:
        scheme: Name of a scheme: `"float32"`, `"float16"`, `"dynamic"`, `"int8"`, `"int16x8"` or
            `"int8-qat"`.
        target: Kind of device, which decides the operators that are allowed: `"phone"` or `"tflm"`.
        per_channel_dense: Whether Dense kernels get a scale for each output, or one for all of them,
            which old forks of TFLM need; None for what the target's kernels take (`dense_per_channel`).
        strip: Whether to leave out names, metadata and the named entry point.
        tuning: How long and how fast scheme `"int8-qat"` trains; no other scheme reads it.
        input_type: Type of the file's inputs where it is not the scheme's own: `"float32"`, `"int8"`, `"uint8"`
            or `"int16"`; a float32 input of an integer scheme is quantized inside the file.
        output_type: The same of its outputs.
        raw_pixels: Whether inputs of an image's shape take raw pixels, 0 to 255, rather than real values. None for
            what is known of each: its samples are uint8, or whole numbers in that range, or in that range before a
            `Rescaling` from it. Schemes that take no samples go by the shape.
        seed: Decides which of the samples calibrate, and the order of training.
        arena: Who lays the values between operations out in TFLM's arena: `"planned"` writes a memory plan into a
            file for TFLM where it saves bytes, `"tflm"` leaves it to TFLM. No other target has an arena.
        kernels: The kernel library on the device, whose scratch buffers the plan makes room for: `"reference"`,
            `"cmsis-nn"`, `"cmsis-nn-mve"` or `"esp-nn"`. Any library runs the file; its scratch may take more then.

    Raises:
        SchemeError: The scheme, the target or the kernel library is unknown, the scheme has no inputs or outputs of a
            type, or `arena` is none of the two.
    """

    scheme: str = "int8"
    target: str = "phone"
    per_channel_dense: bool | None = None
    strip: bool = False
    tuning: Tuning | None = None
    input_type: str | None = None
    output_type: str | None = None
    raw_pixels: bool | None = None
    seed: int = 0
    arena: Literal["planned", "tflm"] = "planned"
    kernels: str = "reference"

    def __post_init__(self) -> None:
        scheme = get_scheme(self.scheme)
        for asked in (self.input_type, self.output_type):
            scheme.io_type(asked)
        get_target(self.target)
        get_kernels(self.kernels)
        if self.arena not in ("planned", "tflm"):
            raise SchemeError(f"arena is 'planned' or 'tflm', received {self.arena!r}")

    @property
    def dense_per_channel(self) -> bool:
        """Whether Dense kernels get a scale for each output.

        CMSIS-NN takes that in int8 alone (tflite-micro, `kernels/cmsis_nn/fully_connected.cc`), so 16-bit activations
        get one scale for all where TFLM is the target and nothing else is asked for.
        """
        if self.per_channel_dense is not None:
            return self.per_channel_dense
        return not (get_target(self.target).tflm and get_scheme(self.scheme).activation_bytes == 2)
