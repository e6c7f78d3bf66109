"""Scratch of CMSIS-NN's kernels, by its `*_get_buffer_size` functions.

Sources: CMSIS-NN at commit 99f736a (`Source/*/*_get_buffer_sizes_*.c`) and the kernels of tflite-micro that call them
(`tensorflow/lite/micro/kernels/cmsis_nn`). `dsp` is for processors with the DSP extension (Cortex-M4, M7, M33), `mve`
for those with Helium (M55, M85); compilers other than Arm's own are assumed.
"""

from collections.abc import Sequence
from functools import partial
from math import prod

from tflite_export.arena.kernels import reference
from tflite_export.arena.kernels.convolution import Convolution
from tflite_export.tflite import Graph, GraphOperator

# Above so many input channels a transposed convolution is carried out as a convolution.
_REVERSED_ABOVE = 16
# Helium converts a depthwise convolution of one channel into a convolution above so many outputs, of which compilers
# differ: this is the fewest. Others it computes in blocks of channels.
_CONVERTED_ABOVE, _MVE_BLOCK = 1, 124


def _scratch(graph: Graph, operator: GraphOperator, *, mve: bool) -> Sequence[int]:
    first = graph.tensors[operator.inputs[0]]
    if operator.name == "AVERAGE_POOL_2D" and first.dtype in ("int8", "int16"):
        return () if mve else (4 * first.shape[-1],)
    if operator.name == "FULLY_CONNECTED" and first.dtype == "int8":
        return _fully_connected(graph, operator, mve=mve)
    convolution = Convolution.of(graph, operator)
    if convolution is None or convolution.dtype == "float32":
        return reference.scratch(graph, operator)
    if operator.name == "TRANSPOSE_CONV":
        return _transposed(graph, operator, convolution, mve=mve)
    kinds = {
        ("CONV_2D", "int8"): _convolution,
        ("CONV_2D", "int16"): _convolution_int16,
        ("DEPTHWISE_CONV_2D", "int8"): _depthwise,
        ("DEPTHWISE_CONV_2D", "int16"): _depthwise_int16,
    }
    size = kinds[operator.name, convolution.dtype](convolution, mve=mve)
    return (size,) if size else ()


dsp, mve = partial(_scratch, mve=False), partial(_scratch, mve=True)


def _columns(kernel_values: int, *, mve: bool) -> int:
    """Return the size of the buffer into which the inputs of a convolution are gathered."""
    if mve:
        return 4 * -(-kernel_values // 16) * 16
    return 2 * 2 * (-(-kernel_values // 4) * 4)


def _convolution(given: Convolution, *, mve: bool) -> int:
    grouped = given.taken.channels != given.kernel.channels
    if given.pointwise and given.dilation == (1, 1) and not grouped:
        return 0
    values = given.kernel.height * given.kernel.width * given.taken.channels
    flat = given.taken.height == given.kernel.height == 1 and given.dilation[1] == 1
    if mve and flat and given.stride[1] * given.taken.channels % 4 == 0 and not grouped:
        return _one_row(given)
    return _columns(values, mve=mve)


def _one_row(given: Convolution) -> int:
    """Return what Helium's convolution over one row asks for."""
    stride, padding, channels = given.stride[1], given.padding[1], given.taken.channels
    odd = ((given.given.width - 1) * stride + given.kernel.width - given.taken.width) % 2
    right = max(1, (padding + odd + stride - 1) // stride) if padding + odd else 0
    left = max(1, (padding + stride - 1) // stride) if padding else 0
    if right + max(given.given.width - right - left, 0) + left != given.given.width:
        return _columns(given.kernel.width * channels, mve=True)
    before, after = padding * channels, (right if odd else padding) * channels
    return max(given.kernel.width * channels + before, (given.kernel.width - 1) * channels + after)


def _convolution_int16(given: Convolution, *, mve: bool) -> int:
    values = given.kernel.height * given.kernel.width * given.taken.channels
    return 4 * -(-values // 8) * 8 * 2 if mve else 2 * values * 2


def _depthwise(given: Convolution, *, mve: bool) -> int:
    window = given.kernel.height * given.kernel.width
    if mve and given.taken.channels == 1 and given.given.channels > _CONVERTED_ABOVE:
        return _columns(window, mve=True) + window * given.kernel.channels
    if given.taken.channels != given.given.channels or given.dilation != (1, 1):
        return 0
    if mve:
        return 4 * _MVE_BLOCK * window
    small = (given.kernel.height, given.kernel.width) == (3, 3) and max(given.padding) <= 1
    return 0 if small else 2 * given.taken.channels * window


def _depthwise_int16(given: Convolution, *, mve: bool) -> int:
    window = given.kernel.height * given.kernel.width
    if given.multiplier != 1 or given.dilation != (1, 1) or window >= 512:
        return 0
    values = given.taken.channels * window
    return 4 * values * 2 + 8 if mve else 2 * values


def _fully_connected(graph: Graph, operator: GraphOperator, *, mve: bool) -> Sequence[int]:
    kernel, given = graph.tensors[operator.inputs[1]], graph.tensors[operator.outputs[0]]
    outputs, depth = kernel.shape[0], kernel.shape[-1]
    if len(given.shape) > 2 and depth % 4 == 0:
        # It runs as a convolution, which takes a scale for each output.
        return () if kernel.channels > 1 else (2 * 4 * outputs,)
    return (4 * outputs,) if mve else ()


def _transposed(
    graph: Graph, operator: GraphOperator, given: Convolution, *, mve: bool
) -> Sequence[int]:
    if given.dtype != "int8":
        return reference.scratch(graph, operator)
    kernel, stride = given.kernel, given.stride
    if max(stride) <= 2 and given.taken.channels > _REVERSED_ABOVE:
        values = prod((kernel.height, kernel.width, given.taken.channels))
        return (_columns(values, mve=mve), values * given.given.channels)
    width = (given.taken.width - 1) * stride[1] + max(kernel.width, stride[0])
    return (width * given.given.channels * max(kernel.height, stride[0]) * 4, 0)
