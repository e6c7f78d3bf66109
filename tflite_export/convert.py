"""Keras model in, the bytes of one guarded .tflite file out.

The file has a static batch of 1, one entry point, and TFLite's builtin operators only, so that it
runs on phones and on microcontrollers alike. Every conversion ends in guards (`guards.py`).
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_export.errors import ConversionError
from tflite_export.guards import guard
from tflite_export.options import ConversionOptions
from tflite_export.quantize.calibration import DEFAULT_COUNT, representative
from tflite_export.quantize.post_training import quantize, require_tensorflow_backend
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
    samples: np.ndarray | None = None,
    **changes: Any,
) -> bytes:
    """Convert a Keras model into a .tflite file, and guard the result.

    Args:
        model: A built model with one input `[batch, height, width, channels]` of raw pixels 0..255
            and one output `[batch, classes]`. How it was compiled, if at all, does not matter.
        options: How to convert; the defaults of `ConversionOptions` unless given.
        samples: Training images as raw pixels, `[count, height, width, channels]`, uint8 or float;
            needed by the schemes with integer activations.
        **changes: Fields of `ConversionOptions`, instead of or on top of `options`.

    Returns:
        The file's bytes.

    Raises:
        BackendError: Keras does not run on TensorFlow here.
        SchemeError: The scheme or the target is unknown.
        CalibrationError: The samples are missing or unfit.
        ConversionError: The model cannot be converted, or the file broke a guard.

    Example:
        >>> tflite = convert(model, scheme="int8", samples=train_images)
    """
    options = replace(options or ConversionOptions(), **changes)
    scheme = get_scheme(options.scheme)
    require_tensorflow_backend()
    image_shape = _image_shape(model)
    calibration = None
    if scheme.calibrated and samples is not None:
        count = TUNING_COUNT if scheme.tuned else DEFAULT_COUNT
        calibration = representative(
            samples, image_shape=image_shape, count=count, seed=options.seed
        )
    if scheme.tuned and calibration is not None:
        _, tflite = tune(model, calibration, tuning=options.tuning, seed=options.seed)
    else:
        tflite = quantize(
            model, scheme, calibration=calibration, per_channel_dense=options.per_channel_dense
        )
    # The guards name operators by what is stripped afterwards.
    guard(
        tflite,
        scheme=scheme,
        image_shape=image_shape,
        kernel_values=_kernel_values(model),
        target=get_target(options.target),
    )
    return strip(tflite) if options.strip else tflite


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
    """Return how many values the kernels have, frozen ones too, each once."""
    # Seeds and counters are integers; statistics and biases have one axis.
    return sum(
        math.prod(weight.shape)
        for weight in model.weights
        if len(weight.shape) > 1 and "float" in str(weight.dtype)
    )
