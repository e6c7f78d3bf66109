"""Post-training quantization: carries a scheme out with TensorFlow's converter."""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_export.errors import CalibrationError, ConversionError
from tflite_export.keras_models import Signature, float32_policies, server
from tflite_export.quantize.integer import IntegerTypes, Samples, quantize_integer
from tflite_export.quantize.scheme import Scheme
from tflite_export.stderr import capture_stderr
from tflite_export.tflite import arrange, input_order

if TYPE_CHECKING:
    import keras

ENTRY_POINT = "serve"

LONGEST_REASON = 300
"""Characters of the converter's own words that an error may quote."""


@dataclass(frozen=True, kw_only=True)
class QuantizationSettings:
    """How the converter is set up.

    Attributes:
        scheme: What to carry out.
        input_type: Type of the file's inputs.
        output_type: Type of its outputs.
        per_channel_dense: Whether Dense kernels get a scale for each output, or one for all.
    """

    scheme: Scheme
    input_type: str
    output_type: str
    per_channel_dense: bool = True

    @classmethod
    def of(cls, scheme: Scheme) -> "QuantizationSettings":
        """Return a scheme's own settings."""
        return cls(scheme=scheme, input_type=scheme.io_dtype, output_type=scheme.io_dtype)


def quantize(
    model: "keras.Model",
    settings: QuantizationSettings,
    *,
    calibration: Sequence[np.ndarray] | None = None,
) -> bytes:
    """Convert a Keras model by a scheme, with builtin operators only and a static batch of 1.

    The file's inputs and outputs stand in the model's order.

    Args:
        model: A model with inputs of a fixed size.
        settings: How.
        calibration: One array `[count, ...]` per input, as `representative` returns them; needed where the scheme
            is calibrated, unused elsewhere.

    Raises:
        CalibrationError: The scheme is calibrated and there are no samples.
        ConversionError: TensorFlow cannot convert the model.
    """
    import keras
    import tensorflow as tf

    signature = Signature.of(model)
    inputs, outputs = _entry_names(signature)
    serve = server(model)

    def entry(*tensors: Any) -> Any:
        found = serve(tensors)
        return found[0] if len(found) == 1 else dict(zip(outputs, found, strict=True))

    samples = None if calibration is None else partial(_one_by_one, calibration)
    with (
        tempfile.TemporaryDirectory(prefix="tfelastic-") as folder,
        float32_policies(model),
        capture_stderr(),
    ):
        # `from_keras_model` would leave the batch open. An ExportArchive takes the static signature
        # and also tracks the weights, without which the file would be converted with none of them
        # inside.
        archive = keras.export.ExportArchive()
        archive.track(model)
        specs = [
            tf.TensorSpec((1, *port.shape), "int32" if port.holds_indices else "float32", name=name)
            for port, name in zip(signature.inputs, inputs, strict=True)
        ]
        archive.add_endpoint(ENTRY_POINT, entry, input_signature=specs)
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[ENTRY_POINT])
        tflite = run_converter(
            converter, settings, samples=samples, inputs=inputs, what=f"model {model.name!r}"
        )
    return arrange(tflite, inputs=inputs, outputs=outputs)


def _entry_names(signature: Signature) -> tuple[list[str], list[str]]:
    """Return names for the entry point, which takes letters and digits alone."""
    inputs, outputs = (
        [re.sub(r"\W", "_", f"{port.name}_{index}") for index, port in enumerate(ports)]
        for ports in (signature.inputs, signature.outputs)
    )
    if len(inputs) == 1:
        inputs = ["image" if signature.inputs[0].may_be_image else "input"]
    return inputs, outputs if len(outputs) > 1 else ["output_0"]


def run_converter(
    converter: Any,
    settings: QuantizationSettings,
    *,
    what: str,
    samples: Samples | None = None,
    inputs: Sequence[str] = (),
) -> bytes:
    """Run a `tf.lite.TFLiteConverter`.

    Args:
        converter: The converter; its own settings are changed.
        settings: How.
        what: What is converted, for the text of an error.
        samples: What sets the activations' ranges; needed where the scheme is calibrated.
        inputs: The entry point's names of the inputs in the order of `samples`, where it has an entry point.

    Raises:
        CalibrationError: The scheme is calibrated and there are no samples.
        ConversionError: TensorFlow cannot convert it.
    """
    scheme = settings.scheme
    _configure(converter, settings, samples, inputs)
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


def _quantizer(
    samples: Samples, inputs: Sequence[str], per_channel_dense: bool
) -> Callable[..., bytes]:
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
        order = input_order(tflite, inputs) if len(inputs) > 1 else None
        ordered = samples if order is None else partial(_ordered, samples, order)
        return quantize_integer(tflite, ordered, types)

    return quantize


def _ordered(samples: Samples, order: Sequence[int]) -> Iterator[list[np.ndarray]]:
    return ([sample[index] for index in order] for sample in samples())


def _configure(
    converter: Any,
    settings: QuantizationSettings,
    samples: Samples | None,
    inputs: Sequence[str],
) -> None:
    import tensorflow as tf

    scheme = settings.scheme
    converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, name) for name in scheme.ops]
    if scheme.optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter._experimental_disable_per_channel_quantization_for_dense_layers = (
        not settings.per_channel_dense
    )
    if scheme.weight_type is not None:
        converter.target_spec.supported_types = [getattr(tf, scheme.weight_type)]
    if scheme.calibrated:
        if samples is None:
            raise CalibrationError(
                f"scheme {scheme.name!r} sets its ranges from samples: pass samples=, a few "
                "hundred training samples (of images the raw pixels 0..255)"
            )
        converter.representative_dataset = samples
        converter._quantize = _quantizer(samples, inputs, settings.per_channel_dense)
    converter.inference_input_type = getattr(tf, settings.input_type)
    converter.inference_output_type = getattr(tf, settings.output_type)


def _one_by_one(calibration: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    return ([each[np.newaxis] for each in sample] for sample in zip(*calibration, strict=True))
