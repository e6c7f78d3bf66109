"""Keras model in, the bytes of one guarded .tflite file out.

The file has a static batch of 1, one entry point, and TFLite's builtin operators only, so that it
runs on phones and on microcontrollers alike. Every conversion ends in guards, because the
converter's own idea of success is wider than a device's: it will, for instance, write a file
without any weights.
"""

import math
import tempfile
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from tflite_export.errors import BackendError, ConversionError
from tflite_export.quantize.calibration import DEFAULT_COUNT, representative
from tflite_export.quantize.flatbuffer import Summary, summarize
from tflite_export.quantize.flatbuffer import strip as stripped
from tflite_export.quantize.litert import LiteModel
from tflite_export.quantize.ptq import configure
from tflite_export.quantize.qat import TUNING_COUNT, Tuning, tune
from tflite_export.quantize.quiet import quietly
from tflite_export.quantize.scheme import RAW_PIXEL_QUANTIZATION, Scheme, get_scheme
from tflite_export.quantize.target import TARGETS, Target, get_target

if TYPE_CHECKING:
    import keras

ENTRY_POINT = "serve"

# The ways in which a network keeps its weights outside the file, or its state between runs.
STATEFUL_OPERATORS = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"})

# Equal constants are stored once, and a kernel that folding made zero may vanish, so a sound file
# can hold fewer bytes than the kernels have. A file that lost its weights holds next to none.
SMALLEST_SHARE_OF_KERNELS = 0.25

# Biases, tables and small kernels that stay float32 come on top. Beyond this, kernels were stored twice or
# in a wider type than the scheme's.
LARGEST_SHARE_OF_KERNELS = 2
SMALL_CONSTANTS_BYTES = 1 << 16


class Conversion(TypedDict, total=False):
    """The options of `convert` that whoever calls it passes on; they are explained there."""

    scheme: str
    target: str
    per_channel_dense: bool
    strip: bool
    tuning: Tuning | None
    seed: int


def convert(
    model: "keras.Model",
    *,
    scheme: str = "int8",
    samples: np.ndarray | None = None,
    target: str = "phone",
    per_channel_dense: bool = True,
    strip: bool = False,
    tuning: Tuning | None = None,
    seed: int = 0,
) -> bytes:
    """Convert a Keras model into a .tflite file, and guard the result.

    Args:
        model: A built model with one input `[batch, height, width, channels]` of raw pixels 0..255
            and one output `[batch, classes]`. How it was compiled, if at all, does not matter.
        scheme: Name of a scheme: `"float32"`, `"float16"`, `"dynamic"`, `"int8"`, `"int16x8"` or
            `"int8-qat"`.
        samples: Training images as raw pixels, `[count, height, width, channels]`, uint8 or float;
            needed by the schemes with integer activations.
        target: Kind of device, which decides the operators that are allowed: `"phone"` or `"tflm"`.
        per_channel_dense: Whether Dense kernels get a scale for each output, or one for all of them,
            which old forks of TFLM need.
        strip: Whether to leave out names, metadata and the named entry point.
        tuning: How long and how fast scheme `"int8-qat"` trains; no other scheme looks at it.
        seed: Decides which of the samples calibrate, and the order of training.

    Returns:
        The file's bytes.

    Raises:
        BackendError: Keras does not run on TensorFlow here.
        SchemeError: The scheme or the target is unknown.
        CalibrationError: The samples are missing or unfit.
        ConversionError: The model cannot be converted, or the file broke a guard.

    Example:
        >>> tflite = convert(model, scheme="int8", samples=train_images)  # doctest: +SKIP
    """
    chosen, device = get_scheme(scheme), get_target(target)
    _require_tensorflow_backend()
    image_shape = _image_shape(model)
    calibration = None
    if chosen.calibrated and samples is not None:
        count = TUNING_COUNT if chosen.tuned else DEFAULT_COUNT
        calibration = representative(samples, image_shape=image_shape, count=count, seed=seed)
    if chosen.tuned and calibration is not None:
        _, tflite = tune(model, calibration, tuning=tuning, seed=seed)
    else:
        configured = partial(
            configure, scheme=chosen, calibration=calibration, per_channel_dense=per_channel_dense
        )
        tflite = _run_converter(model, image_shape, configured)
    if strip:
        tflite = stripped(tflite)
    guard(
        tflite,
        scheme=chosen,
        image_shape=image_shape,
        kernel_values=_kernel_values(model),
        target=device,
    )
    return tflite


def guard(
    tflite: bytes,
    *,
    scheme: Scheme,
    image_shape: tuple[int, ...],
    kernel_values: int,
    target: Target = TARGETS["phone"],
) -> None:
    """Check that a converted file is one that a device can run.

    Args:
        tflite: The file's bytes.
        scheme: The scheme it was converted by.
        image_shape: `(height, width, channels)` of its input.
        kernel_values: Number of values in the Keras model's kernels.
        target: What it must run on.

    Raises:
        ConversionError: A guard failed; the text says which, and what was found.
    """
    summary = summarize(tflite)
    _guard_operators(summary, target)
    _guard_input(summary, scheme, image_shape)
    _guard_weights(summary, scheme, kernel_values)
    black = np.zeros((1, *image_shape), np.uint8)
    if not np.isfinite(LiteModel(tflite).logits(black)).all():
        raise ConversionError("the converted file returns NaN or infinity for a black image")


def _require_tensorflow_backend() -> None:
    import keras

    if keras.backend.backend() != "tensorflow":
        raise BackendError(
            "export needs Keras' TensorFlow backend, this process runs on "
            f"{keras.backend.backend()!r}: save the model as .keras, then export it in a process "
            "started with KERAS_BACKEND=tensorflow"
        )


def _image_shape(model: "keras.Model") -> tuple[int, ...]:
    if not model.built or not hasattr(model, "inputs"):
        raise ConversionError(
            f"model {model.name!r} has no input of its own: build it as a Functional model, or give a "
            "Sequential an Input of the images' size"
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ConversionError(
            f"model {model.name!r} must have one input and one output, it has {len(model.inputs)} and "
            f"{len(model.outputs)}"
        )
    shape = tuple(model.inputs[0].shape)[1:]
    if not shape or any(size is None for size in shape):
        raise ConversionError(
            f"model {model.name!r} takes images of shape {shape}; a device needs every size fixed: "
            "rebuild it with an Input of the size that it will run at"
        )
    return shape


def _kernel_values(model: "keras.Model") -> int:
    return sum(
        math.prod(weight.shape) for weight in model.trainable_weights if len(weight.shape) > 1
    )


def _run_converter(
    model: "keras.Model", image_shape: tuple[int, ...], configured: Callable[[Any], None]
) -> bytes:
    import keras
    import tensorflow as tf

    def serve(image: Any) -> Any:
        return keras.ops.cast(model(image, training=False), "float32")

    with tempfile.TemporaryDirectory(prefix="tfelastic-") as folder, quietly() as chatter:
        # `from_keras_model` would leave the batch open. An ExportArchive takes the static signature
        # and also tracks the weights, without which the file would be converted with none of them
        # inside.
        archive = keras.export.ExportArchive()
        archive.track(model)
        signature = [tf.TensorSpec((1, *image_shape), tf.float32, name="image")]
        archive.add_endpoint(ENTRY_POINT, serve, input_signature=signature)
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[ENTRY_POINT])
        configured(converter)
        try:
            tflite: bytes = converter.convert()
        except Exception as error:
            raise ConversionError(
                f"TensorFlow cannot convert model {model.name!r} with "
                f"builtin operators only: {error}\n{chatter.tail()}"
            ) from error
    return tflite


def _guard_operators(summary: Summary, target: Target) -> None:
    stateful = sorted(STATEFUL_OPERATORS.intersection(summary.operators))
    if stateful:
        raise ConversionError(
            f"the converted file keeps variables ({', '.join(stateful)}): its weights are not "
            "inside; convert the keras.Model itself, not an object that merely refers to it"
        )
    custom = [name for name in summary.operators if name.startswith("CUSTOM:")]
    if custom:
        raise ConversionError(
            f"the converted file needs operators that no device has built in: {', '.join(custom)}"
        )
    if summary.subgraphs != 1 or summary.signatures > 1:
        raise ConversionError(
            "expected one subgraph and one signature, the converted file has "
            f"{summary.subgraphs} and {summary.signatures}: microcontrollers cannot run it (is "
            "there a loop or a condition in the model?)"
        )
    if foreign := sorted(set(summary.operators) - target.operators):
        raise ConversionError(
            f"target {target.name!r} cannot run {', '.join(foreign)}: build the model of layers that "
            "need no such operator, or convert it for another target"
        )


def _guard_input(summary: Summary, scheme: Scheme, image_shape: tuple[int, ...]) -> None:
    if len(summary.inputs) != 1 or len(summary.outputs) != 1:
        raise ConversionError(
            f"expected one input and one output, got {len(summary.inputs)} and "
            f"{len(summary.outputs)}"
        )
    source, result = summary.inputs[0], summary.outputs[0]
    if source.shape != (1, *image_shape) or -1 in result.shape:
        raise ConversionError(
            f"expected a static input {(1, *image_shape)} and a static output, got {source.shape} "
            f"and {result.shape}"
        )
    if (source.dtype, result.dtype) != (scheme.io_dtype, scheme.io_dtype):
        raise ConversionError(
            f"scheme {scheme.name!r} has {scheme.io_dtype} input and output, got {source.dtype} "
            f"and {result.dtype}"
        )
    found = (source.scale, source.zero_point)
    if scheme.integer_only and found != RAW_PIXEL_QUANTIZATION:
        raise ConversionError(
            f"raw pixels need input scale and zero point {RAW_PIXEL_QUANTIZATION}, the converter "
            f"chose {found}"
        )


def _guard_weights(summary: Summary, scheme: Scheme, kernel_values: int) -> None:
    if scheme.integer_only and "float32" in summary.dtypes:
        raise ConversionError(f"scheme {scheme.name!r} is integer only, but float32 tensors remain")
    expected = kernel_values * scheme.weight_bytes
    if summary.constant_bytes < SMALLEST_SHARE_OF_KERNELS * expected:
        raise ConversionError(
            f"the converted file holds {summary.constant_bytes:,} bytes of constants, but the "
            f"model's kernels alone take {expected:,}: weights are missing"
        )
    if summary.constant_bytes > LARGEST_SHARE_OF_KERNELS * expected + SMALL_CONSTANTS_BYTES:
        raise ConversionError(
            f"the converted file holds {summary.constant_bytes:,} bytes of constants, but the "
            f"model's kernels take {expected:,} by scheme {scheme.name!r}: kernels were not quantized, "
            "or are stored more than once"
        )
