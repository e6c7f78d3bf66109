"""What a converted file is checked for, before anything else is done with it.

The converter's own idea of success is wider than a device's: it will, for instance, write a file without
any weights.
"""

from collections.abc import Sequence

import numpy as np

from tflite_export.errors import ConversionError
from tflite_export.keras_models import Port, Signature
from tflite_export.quantize.post_training import QuantizationSettings
from tflite_export.quantize.scheme import RAW_PIXEL_QUANTIZATION, Scheme
from tflite_export.runtimes import TARGETS, LiteModel, Target
from tflite_export.tflite import Summary, Tensor, operators, summarize

# The ways in which a network keeps its weights outside the file, or its state between runs.
STATEFUL_OPERATORS = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"})

CONVERTING = frozenset({"QUANTIZE", "DEQUANTIZE"})
"""The operators at the border between float32 and integers."""

# Equal constants are stored once, and a kernel that folding made zero may vanish, so a sound file
# can hold fewer bytes than the kernels have. A file that lost its weights holds next to none.
SMALLEST_SHARE_OF_KERNELS = 0.25

# Biases, tables and small kernels that stay float32 come on top. Beyond this, kernels were stored twice or
# in a wider type than the scheme's.
LARGEST_SHARE_OF_KERNELS = 2
SMALL_CONSTANTS_BYTES = 1 << 16


def guard(
    tflite: bytes,
    settings: QuantizationSettings,
    *,
    signature: Signature,
    images: Sequence[bool],
    kernel_values: int,
    target: Target = TARGETS["phone"],
) -> None:
    """Check that a converted file is one that a device can run.

    Args:
        tflite: The file's bytes.
        settings: How it was converted.
        signature: What the Keras model takes and gives.
        images: For each input whether it takes raw pixels.
        kernel_values: Number of values in the Keras model's kernels.
        target: What it must run on.

    Raises:
        ConversionError: A guard failed; the text says which, and what was found.
    """
    summary = summarize(tflite)
    _guard_operators(summary, target)
    if settings.scheme.integer_only:
        _guard_integers(tflite, settings.scheme, target)
    _guard_interface(summary, settings, signature, images)
    _guard_weights(summary, settings.scheme, kernel_values)
    zeros = [np.zeros((1, *port.shape), np.uint8) for port in signature.inputs]
    model = LiteModel(tflite)
    try:
        outputs = model.outputs(zeros)
    except RuntimeError as error:
        raise ConversionError(
            f"LiteRT cannot run the file that was converted by scheme {settings.scheme.name!r}: {error}; put another "
            "layer in the place of that operator's, or use another scheme"
        ) from error
    if not all(np.isfinite(each).all() for each in outputs):
        raise ConversionError(
            "the converted file returns NaN or infinity for an input of zeros (of an image, a black one)"
        )


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


def _guard_integers(tflite: bytes, scheme: Scheme, target: Target) -> None:
    """Check that nothing is computed in float32, as is what the integer kernels lack."""
    left = [
        operator
        for operator in operators(tflite)
        if operator.name not in CONVERTING
        and any(value.dtype == "float32" for value in (*operator.inputs, *operator.outputs))
    ]
    if left:
        named = ", ".join(dict.fromkeys(map(str, left)))
        # TFLM has no kernels for int8 weights with float32 activations.
        others = "'float32'" if target.tflm else "'float32' or 'dynamic'"
        raise ConversionError(
            f"scheme {scheme.name!r} is for integers only, and TFLite has no such form of {named}: put "
            f"another layer or activation in its place, or use scheme {others}"
        )


def _guard_interface(
    summary: Summary, settings: QuantizationSettings, signature: Signature, images: Sequence[bool]
) -> None:
    expected = [(1, *port.shape) for port in signature.inputs]
    found = [each.shape for each in summary.inputs]
    outputs = [each.shape for each in summary.outputs]
    if found != expected or len(outputs) != len(signature.outputs) or -1 in sum(outputs, ()):
        raise ConversionError(
            f"expected static inputs {expected} and {len(signature.outputs)} static outputs, got {found} and "
            f"{outputs}"
        )
    for port, source, image in zip(signature.inputs, summary.inputs, images, strict=True):
        _guard_input(port, source, settings, image)
    for result in summary.outputs:
        if result.dtype != settings.output_type:
            raise ConversionError(
                f"expected {settings.output_type} outputs, got {result.dtype}: {result.name!r}"
            )


def _guard_input(port: Port, source: Tensor, settings: QuantizationSettings, image: bool) -> None:
    expected = "int32" if port.holds_indices else settings.input_type
    if source.dtype != expected:
        raise ConversionError(
            f"input {port.name!r} should be {expected}, the file has {source.dtype}"
        )
    found, pixels = (source.scale, source.zero_point), RAW_PIXEL_QUANTIZATION.get(source.dtype)
    if image and pixels is not None and found != pixels:
        raise ConversionError(
            f"raw pixels need input scale and zero point {pixels}, the converter chose {found}"
        )


def _guard_weights(summary: Summary, scheme: Scheme, kernel_values: int) -> None:
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
