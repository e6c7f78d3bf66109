"""Post-training quantization: carries a scheme out on TensorFlow's converter."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tflite_export.errors import CalibrationError
from tflite_export.quantize.scheme import Scheme


def configure(
    converter: Any,
    scheme: Scheme,
    *,
    calibration: np.ndarray | None = None,
    per_channel_dense: bool = True,
) -> None:
    """Set a `tf.lite.TFLiteConverter` up for a scheme.

    Args:
        converter: The converter; its settings are changed.
        scheme: What to set up.
        calibration: float32 `[count, height, width, channels]` as `representative` returns it;
            needed where the scheme is calibrated, unused elsewhere.
        per_channel_dense: Whether Dense kernels get a scale for each output, or one for all.

    Raises:
        CalibrationError: The scheme is calibrated and there are no samples.
    """
    import tensorflow as tf

    converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, name) for name in scheme.ops]
    if scheme.optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter._experimental_disable_per_channel_quantization_for_dense_layers = (
        not per_channel_dense
    )
    if scheme.weight_type is not None:
        converter.target_spec.supported_types = [getattr(tf, scheme.weight_type)]
    if scheme.calibrated:
        if calibration is None:
            raise CalibrationError(
                f"scheme {scheme.name!r} sets its ranges from samples: pass samples=, a few "
                "hundred training images as raw pixels 0..255"
            )
        converter.representative_dataset = lambda: _one_by_one(calibration)
    io_dtype = getattr(tf, scheme.io_dtype)
    converter.inference_input_type = converter.inference_output_type = io_dtype


def _one_by_one(calibration: np.ndarray) -> Iterator[list[np.ndarray]]:
    for sample in calibration:
        yield [sample[np.newaxis]]
