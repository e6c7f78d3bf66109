"""Integer quantization of a float .tflite: what TensorFlow's converter does last, guarded against its crashes.

The calibrator and the quantizer are C++ that ends the process on what it does not expect: a loop, a constant of
-infinity, an operator that nobody tried. So a file is looked at first. What is known to be quantized is quantized in
this process, which is fast; a file with any other operator goes through a process of its own, whose death becomes
an error.
"""

import io
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tflite_export.child_process import run_python
from tflite_export.errors import ConversionError
from tflite_export.tflite import Operator, operators, summarize, with_integer_forms
from tflite_export.tflite.schema import pack, read_tree

Samples = Callable[[], Iterable[list[np.ndarray]]]
"""Yields one array per input, with a batch of 1, for each sample that sets the activations' ranges."""

_QUANTIZABLE_NAMES = """
    ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CONCATENATION CONV_2D DEPTHWISE_CONV_2D DIV ELU EXP EXPAND_DIMS
    FULLY_CONNECTED GELU GREATER HARD_SWISH LEAKY_RELU LOG LOGISTIC MAX_POOL_2D MAXIMUM MEAN MINIMUM MIRROR_PAD MUL
    PACK PAD PADV2 PRELU RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SELECT SHAPE SLICE SOFTMAX
    SPLIT SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV UNPACK
"""

QUANTIZABLE = frozenset(_QUANTIZABLE_NAMES.split())
"""Operators that the quantizer is known to get through, in the networks of the tests."""

LARGEST = 1e30
"""The largest value that a range of integers is asked to reach; the converter turns -infinity into -3e38."""

SMALLEST_SHARE = 2.0**-14
"""How small an operation's outputs may be next to its inputs times its largest weight.

LiteRT's XNNPACK multiplies sums of int8 products by less than 256 (`requantization scale` in its operators), and does
not open a file that asks for more; with weights of 7 bits this is a share of 2 ** -15. Outputs that small are those of
a layer that the samples leave dead, all zeros behind its ReLU.
"""

_CHILD = "from tflite_export.quantize.integer import main; main()"


@dataclass(frozen=True, kw_only=True)
class IntegerTypes:
    """What the quantizer is asked for.

    Attributes:
        input_type: Type of the file's inputs, as a name in `tf`.
        output_type: Type of its outputs.
        activations: Type of the values between operations: `"int8"` or `"int16"`.
        bias: Type of the biases.
        allow_float: Whether operators that cannot be quantized may stay in float32.
        per_channel_dense: Whether Dense kernels get a scale for each output, or one for all.
        debug_options: The converter's, serialized, as hexadecimal digits.
    """

    input_type: str
    output_type: str
    activations: str
    bias: str
    allow_float: bool
    per_channel_dense: bool
    debug_options: str


def quantize_integer(tflite: bytes, samples: Samples, types: IntegerTypes) -> bytes:
    """Quantize a float file, its activations' ranges set by samples.

    Raises:
        ConversionError: The file holds what no integers can express, or the quantizer crashed on it; the text names
            the operator.
    """
    if summarize(tflite).subgraphs != 1:
        raise ConversionError(
            "expected one subgraph, the network has several: there is a loop or a condition in it, such as a "
            "recurrent layer's, which microcontrollers cannot run and int8 cannot express; unroll it, or build it "
            "of other layers"
        )
    tflite = with_integer_forms(tflite, activations=types.activations)
    found = operators(tflite)
    for operator in found:
        _check_constants(operator)
    if unknown := sorted({operator.name for operator in found} - QUANTIZABLE):
        return _in_child_process(tflite, samples, types, unknown)
    return _quantize(tflite, samples, types)


def _check_constants(operator: Operator) -> None:
    for value in operator.inputs:
        if value.constant is not None and not (np.abs(value.constant) <= LARGEST).all():
            worst = value.constant[~(np.abs(value.constant) <= LARGEST)][0]
            raise ConversionError(
                f"operator {operator} has the constant {worst:.3g}, which stands for infinity, and no range of "
                "integers reaches so far: use a number of the size of the other values (before a pooling by the "
                "maximum behind ReLU, 0), or scheme 'float32'"
            )


def _quantize(tflite: bytes, samples: Samples, types: IntegerTypes) -> bytes:
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize import calibrator

    inputs, outputs = getattr(tf, types.input_type), getattr(tf, types.output_type)
    # The steps of TFLiteConverterBase._quantize, with a look at the ranges between them.
    calibration = calibrator.Calibrator(calibrator.add_intermediate_tensors(tflite))
    calibrated = calibration.calibrate(samples)
    _check_ranges(calibrated)
    calibrated = _with_ranges(calibrated, _wider_ranges(operators(calibrated)))
    if types.activations == "int8":
        quantized: bytes = mlir_quantize(
            calibrated,
            False,
            input_data_type=inputs,
            output_data_type=outputs,
            enable_variable_quantization=False,
            disable_per_channel_for_dense_layers=not types.per_channel_dense,
            debug_options_str=bytes.fromhex(types.debug_options),
        )
    else:
        quantized = calibration.calibrate_and_quantize(
            samples,
            inputs,
            outputs,
            types.allow_float,
            getattr(tf, types.activations),
            getattr(tf, types.bias),
            disable_per_channel=False,
            disable_per_channel_quantization_for_dense_layers=not types.per_channel_dense,
        )
    return quantized


def _check_ranges(calibrated: bytes) -> None:
    for operator in operators(calibrated):
        for value in operator.outputs:
            if value.low is None or value.high is None:
                continue
            if not max(-value.low, value.high) <= LARGEST:
                raise ConversionError(
                    f"operator {operator} computes values from {value.low} to {value.high} for the calibration "
                    "samples, a range that no integers can cover: keep its input away from what makes it infinite"
                )


def _wider_ranges(found: Sequence[Operator]) -> dict[int, tuple[float, float]]:
    """Return by tensor the ranges that are to take the place of those too small to be computed."""
    wider: dict[int, tuple[float, float]] = {}
    for operator in found:
        ranges = {
            value.index: (value.low, value.high)
            for value in (*operator.inputs, *operator.outputs)
            if value.low is not None and value.high is not None
        }
        entering = [ranges[value.index] for value in operator.inputs if value.index in ranges]
        constants = [value.constant for value in operator.inputs if value.constant is not None]
        for value in operator.outputs:
            if value.index not in ranges:
                continue
            low, high = ranges[value.index]
            if constants and entering:
                weight = float(np.abs(max(constants, key=len)).max(initial=0.0))
                least = SMALLEST_SHARE * weight * max(b - a for a, b in entering)
                if high - low < least:
                    wider[value.index] = (min(low, 0.0), min(low, 0.0) + least)
            elif any(each.index in wider for each in operator.inputs) and (low, high) in entering:
                # What only moves values has one range for all of them.
                wider[value.index] = next(
                    wider[each.index] for each in operator.inputs if each.index in wider
                )
    return wider


def _with_ranges(calibrated: bytes, ranges: dict[int, tuple[float, float]]) -> bytes:
    if not ranges:
        return calibrated
    tree = read_tree(calibrated)
    for index, (low, high) in ranges.items():
        quantization = tree.subgraphs[0].tensors[index].quantization
        quantization.min, quantization.max = [low], [high]
    return pack(tree)


def _in_child_process(
    tflite: bytes, samples: Samples, types: IntegerTypes, unknown: list[str]
) -> bytes:
    arrays: dict[str, Any] = {
        f"samples{index}": np.concatenate(each)
        for index, each in enumerate(zip(*samples(), strict=True))
    }
    given = io.BytesIO()
    np.savez(given, tflite=np.frombuffer(tflite, np.uint8), **arrays)
    ended = run_python(_CHILD, [json.dumps(asdict(types))], given=given.getvalue())
    if ended.failure:
        reason = ended.failure.splitlines()[-1]
        raise ConversionError(
            f"TensorFlow's quantizer cannot take operator {' or '.join(unknown)}: {reason}; build the layer of other "
            "operators, or use scheme 'float32', 'float16' or 'dynamic'"
        )
    return ended.output


def main() -> None:
    """Quantize what stands on stdin, and write the file to stdout; the reason of a failure goes to stderr."""
    types = IntegerTypes(**json.loads(sys.argv[1]))
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as given:
        arrays = [given[f"samples{index}"] for index in range(len(given.files) - 1)]
        tflite = given["tflite"].tobytes()
    count = len(arrays[0])

    def samples() -> Iterable[list[np.ndarray]]:
        return ([array[index : index + 1] for array in arrays] for index in range(count))

    try:
        sys.stdout.buffer.write(_quantize(tflite, samples, types))
    except (ConversionError, RuntimeError, ValueError) as error:
        sys.exit(str(error).strip())
