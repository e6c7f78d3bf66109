"""Keras model in, the bytes of one guarded .tflite file out.

The file has a static batch of 1, one entry point, and TFLite's builtin operators only, so that it
runs on phones and on microcontrollers alike. Every conversion ends in guards (`guards.py`), and one for TFLM in a
plan of its arena (`arena/`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_export.arena import with_arena_plan
from tflite_export.errors import CalibrationError, ConversionError
from tflite_export.guards import guard
from tflite_export.keras_models import (
    Arrays,
    Signature,
    kernel_values,
    require_tensorflow_backend,
)
from tflite_export.options import ConversionOptions
from tflite_export.quantize.calibration import (
    DEFAULT_COUNT,
    representative,
    takes_images,
    with_headroom,
)
from tflite_export.quantize.post_training import QuantizationSettings, quantize
from tflite_export.quantize.qat import TUNING_COUNT, tune
from tflite_export.quantize.scheme import get_scheme
from tflite_export.runtimes import get_target
from tflite_export.tflite import strip

if TYPE_CHECKING:
    import keras


def convert(
    model: "keras.Model",
    options: ConversionOptions | None = None,
    *,
    samples: Arrays | None = None,
    **changes: Any,
) -> bytes:
    """Convert a Keras model into a .tflite file, and guard the result.

    Args:
        model: A built model of any inputs and outputs whose sizes are fixed. An input of an image's shape whose
            samples are pixels takes raw pixels 0..255 (`ConversionOptions.raw_pixels`); every other input takes real
            values. How the model was compiled, and whether it computes in mixed precision, does not matter.
        options: How to convert; the defaults of `ConversionOptions` unless given.
        samples: Training samples `[count, ...]`, images as raw pixels; for several inputs a sequence in the model's
            order or a dict by name. Needed by the schemes with integer activations.
        **changes: Fields of `ConversionOptions`, instead of or on top of `options`.

    Returns:
        The file's bytes.

    Raises:
        BackendError: Keras does not run on TensorFlow here.
        SchemeError: The scheme or the target is unknown.
        CalibrationError: The samples are missing or unfit.
        ConversionError: The model cannot be converted, the file broke a guard, or TFLM computes other outputs by the
            plan of its arena than without it.

    Examples:
        >>> tflite = convert(model, scheme="int8", samples=train_images)
    """
    options = replace(options or ConversionOptions(), **changes)
    scheme = get_scheme(options.scheme)
    require_tensorflow_backend()
    signature, arrays = Signature.of(model), None
    if samples is not None and scheme.calibrated:
        arrays = signature.arrays(samples, error=CalibrationError, what="calibration samples")
    images = takes_images(signature, arrays, raw_pixels=options.raw_pixels)
    settings = QuantizationSettings(
        scheme=scheme,
        input_type=scheme.io_type(options.input_type),
        output_type=scheme.io_type(options.output_type),
        per_channel_dense=options.dense_per_channel,
    )
    calibration = None
    if arrays is not None:
        count = TUNING_COUNT if scheme.tuned else DEFAULT_COUNT
        calibration = representative(arrays, images=images, count=count, seed=options.seed)
        calibration = with_headroom(calibration, scheme.headroom, ports=signature.inputs)
    if scheme.tuned and calibration is not None:
        tflite = _tuned(model, calibration, images, options)
    else:
        tflite = quantize(model, settings, calibration=calibration)
    # The guards name operators by what is stripped afterwards.
    guard(
        tflite,
        settings,
        signature=signature,
        images=images,
        kernel_values=kernel_values(model),
        target=get_target(options.target),
    )
    tflite = strip(tflite) if options.strip else tflite
    planned = get_target(options.target).tflm and options.arena == "planned"
    if not planned:
        return tflite
    return with_arena_plan(tflite, kernels=options.kernels, seed=options.seed)


def _tuned(
    model: "keras.Model",
    calibration: Sequence[np.ndarray],
    images: Sequence[bool],
    options: ConversionOptions,
) -> bytes:
    scheme = get_scheme(options.scheme)
    asked = {options.input_type, options.output_type} - {None, scheme.io_dtype}
    if images != (True,) or asked:
        raise ConversionError(
            f"scheme {scheme.name!r} trains a network of one image that has int8 inputs and outputs; model "
            f"{model.name!r} is to have others: use scheme 'int8'"
        )
    _, tflite = tune(model, calibration[0], tuning=options.tuning, seed=options.seed)
    return tflite
