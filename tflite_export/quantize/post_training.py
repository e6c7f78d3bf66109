"""Post-training quantization: carries a scheme out with TensorFlow's converter."""

import re
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_export.errors import BackendError, CalibrationError, ConversionError
from tflite_export.quantize.integer import IntegerTypes, Samples, quantize_integer
from tflite_export.quantize.scheme import Scheme
from tflite_export.stderr import capture_stderr

if TYPE_CHECKING:
    import keras

ENTRY_POINT = "serve"

LONGEST_REASON = 300
"""Characters of the converter's own words that an error may quote."""


def require_tensorflow_backend() -> None:
    """Check that Keras runs on TensorFlow.

    Raises:
        BackendError: It runs on another backend.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise BackendError(
            "export needs Keras' TensorFlow backend, this process runs on "
            f"{keras.backend.backend()!r}: save the model as .keras, then export it in a process "
            "started with KERAS_BACKEND=tensorflow"
        )


def quantize(
    model: "keras.Model",
    scheme: Scheme,
    *,
    calibration: np.ndarray | None = None,
    per_channel_dense: bool = True,
) -> bytes:
    """Convert a Keras model by a scheme, with builtin operators only and a static batch of 1.

    Args:
        model: A model with one input of a fixed size and one output.
        scheme: What to carry out.
        calibration: float32 `[count, height, width, channels]` as `representative` returns it;
            needed where the scheme is calibrated, unused elsewhere.
        per_channel_dense: Whether Dense kernels get a scale for each output, or one for all.

    Raises:
        CalibrationError: The scheme is calibrated and there are no samples.
        ConversionError: TensorFlow cannot convert the model.
    """
    import keras
    import tensorflow as tf

    def serve(image: Any) -> Any:
        return keras.ops.cast(model(image, training=False), "float32")

    samples = None if calibration is None else partial(_one_by_one, calibration)
    with tempfile.TemporaryDirectory(prefix="tfelastic-") as folder, capture_stderr():
        # `from_keras_model` would leave the batch open. An ExportArchive takes the static signature
        # and also tracks the weights, without which the file would be converted with none of them
        # inside.
        archive = keras.export.ExportArchive()
        archive.track(model)
        signature = [tf.TensorSpec((1, *model.inputs[0].shape[1:]), tf.float32, name="image")]
        archive.add_endpoint(ENTRY_POINT, serve, input_signature=signature)
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[ENTRY_POINT])
        return run_converter(
            converter,
            scheme,
            samples=samples,
            per_channel_dense=per_channel_dense,
            what=f"model {model.name!r}",
        )


def run_converter(
    converter: Any,
    scheme: Scheme,
    *,
    what: str,
    samples: Samples | None = None,
    per_channel_dense: bool = True,
) -> bytes:
    """Run a `tf.lite.TFLiteConverter` by a scheme.

    Args:
        converter: The converter; its settings are changed.
        scheme: What to carry out.
        what: What is converted, for the text of an error.
        samples: What sets the activations' ranges; needed where the scheme is calibrated.
        per_channel_dense: Whether Dense kernels get a scale for each output, or one for all.

    Raises:
        CalibrationError: The scheme is calibrated and there are no samples.
        ConversionError: TensorFlow cannot convert it.
    """
    _configure(converter, scheme, samples=samples, per_channel_dense=per_channel_dense)
    with capture_stderr():
        try:
            tflite: bytes = converter.convert()
        except ConversionError as error:
            raise ConversionError(f"{what}, scheme {scheme.name!r}: {error}") from error
        except Exception as error:
            raise ConversionError(
                f"TensorFlow cannot convert {what} by scheme {scheme.name!r}: {_reason(str(error))}"
            ) from error
    return tflite


def _reason(text: str) -> str:
    """Return what stands in a converter's error, in one sentence, without its listing of the graph."""
    if found := re.search(r"'tf\.(\w+)' op", text):
        place = re.search(rf'"{found[1]}:", "([^"@]+)', text)
        where = f" ({place[1]!r})" if place else ""
        return (
            f"operator {found[1]}{where} is none of TFLite's builtin ones; build the layer of other "
            "operators"
        )
    if found := re.search(r"not yet supported for op: '(\w+)'", text):
        return f"it cannot quantize operator {found[1]}; use another scheme, or another layer in its place"
    line = next((line for line in text.splitlines() if line.strip()), "it gave no reason")
    return re.sub(r"loc\(.*", "", line).strip()[:LONGEST_REASON]


def _quantizer(samples: Samples, per_channel_dense: bool) -> Callable[..., bytes]:
    """Return what stands in for the converter's own `_quantize`."""

    def quantize(
        tflite: bytes, input_type: Any, output_type: Any, activations: Any, bias: Any, *rest: Any
    ) -> bytes:
        allow_float, _, debug_options = rest
        types = IntegerTypes(
            input_type=input_type.name,
            output_type=output_type.name,
            activations=activations.name,
            bias=bias.name,
            allow_float=allow_float,
            per_channel_dense=per_channel_dense,
            debug_options=debug_options.SerializeToString().hex(),
        )
        return quantize_integer(tflite, samples, types)

    return quantize


def _configure(
    converter: Any, scheme: Scheme, *, samples: Samples | None, per_channel_dense: bool
) -> None:
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
        if samples is None:
            raise CalibrationError(
                f"scheme {scheme.name!r} sets its ranges from samples: pass samples=, a few "
                "hundred training images as raw pixels 0..255"
            )
        converter.representative_dataset = samples
        converter._quantize = _quantizer(samples, per_channel_dense)
    io_dtype = getattr(tf, scheme.io_dtype)
    converter.inference_input_type = converter.inference_output_type = io_dtype


def _one_by_one(calibration: np.ndarray) -> Iterator[list[np.ndarray]]:
    for sample in calibration:
        yield [sample[np.newaxis]]
