"""Scratch of ESP-NN's kernels on ESP32-S3, by its `esp_nn_get_*_scratch_size` functions.

Sources: ESP-NN 1.2.3 (`src/convolution/*_esp32s3.c`, `src/softmax`) and the kernels of esp-tflite-micro 1.4.0 that call
them (`tensorflow/lite/micro/kernels/esp_nn`). Other chips of Espressif ask for less or nothing.
"""

from collections.abc import Sequence

from tflite_export.arena.kernels import reference
from tflite_export.arena.kernels.convolution import Convolution
from tflite_export.tflite import Graph, GraphOperator

_ALIGNMENT_BYTES = 64
_TILED_ABOVE_INT8, _TILED_ABOVE_INT16 = 40 * 1024, 48 * 1024


def scratch(graph: Graph, operator: GraphOperator) -> Sequence[int]:
    """Return the bytes of each scratch buffer that a kernel of ESP-NN asks for."""
    first = graph.tensors[operator.inputs[0]]
    if operator.name == "SOFTMAX" and first.dtype == "int8" and len(first.shape) > 1:
        return (4 * first.shape[1],)
    convolution = Convolution.of(graph, operator)
    if convolution is not None and convolution.dtype == "int8":
        if operator.name == "CONV_2D":
            return (_convolution(convolution),)
        if operator.name == "DEPTHWISE_CONV_2D":
            return (_depthwise(convolution),)
    return reference.scratch(graph, operator)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _convolution(given: Convolution) -> int:
    taken, kernel, outputs = given.taken, given.kernel, given.given.channels
    positions, channels = taken.height * taken.width, taken.channels
    if given.pointwise and given.stride == (1, 1):
        padded = _up(channels, 8)
        copied = positions * padded if channels % 8 else 0
        turned = 2 * 8 * padded if positions >= 8 else 0
        return copied + padded * outputs + turned + _ALIGNMENT_BYTES
    row, window = kernel.width * channels, kernel.height * kernel.width * channels
    if row < 16 <= window:
        # The sums of the kernel, the kernel and the gathered inputs.
        return 4 * outputs + (outputs + 1) * _up(window, 16) + 2 * 16 + _ALIGNMENT_BYTES
    above, left = given.padding
    padded = (taken.width + 2 * left) * (taken.height + 2 * above) * channels
    right = max(0, given.given.width * given.stride[1] + kernel.width - 1 - taken.width)
    below = max(0, given.given.height * given.stride[0] + kernel.height - 1 - taken.height)
    return (
        (padded if above or left else 0)
        + kernel.height * kernel.width * _up(channels, 16) * outputs
        + _up(row, 16) * kernel.height * outputs
        + ((taken.width + right) * (taken.height + below) * channels if right or below else 0)
        + _ALIGNMENT_BYTES
        + 4 * outputs
    )


def _depthwise(given: Convolution) -> int:
    kernel, channels = given.kernel, given.taken.channels
    values = kernel.height * kernel.width * channels * given.multiplier
    if given.multiplier == 1 and channels % 8 == 0:
        if (kernel.height, kernel.width) == (3, 3):
            return _depthwise_3x3(given, values)
        both = 2 * (values + given.taken.size)
        if both <= _TILED_ABOVE_INT16:
            return both + 32
        return 2 * values + 2 * given.taken.width * kernel.height * channels + 32
    if given.multiplier == 1 and channels > 3:
        return _depthwise_any(given)
    return 2 * (values + given.taken.size) + 32 if given.multiplier % 4 == 0 else 32


def _depthwise_3x3(given: Convolution, values: int) -> int:
    taken, channels = given.taken, given.taken.channels
    above, left = given.padding
    wide = given.given.width * given.stride[1] + 2 - taken.width
    high = given.given.height * given.stride[0] + 2 - taken.height
    if channels % 16 == 0:
        if above or left:
            wide, high = 2 * left, 2 * above
        if not (wide or high):
            return values + 16
        size = (taken.width + wide) * (taken.height + high) * channels
        strip = (taken.width + wide) * given.kernel.height * channels
        return values + (size if size <= _TILED_ABOVE_INT8 else strip) + 16
    if channels >= 12:
        padded = _up(channels, 16)
        wide, high = 2 * left + max(0, wide), 2 * above + max(0, high)
        size = (taken.width + wide) * (taken.height + high) + given.given.height * given.given.width
        return (9 + size) * padded + 64
    return 2 * (values + taken.size) + 32


def _depthwise_any(given: Convolution) -> int:
    """Return what a number of channels that is no multiple of 8 takes: everything padded to one."""
    padded = _up(given.taken.channels, 8)
    kernel = _up(2 * given.kernel.height * given.kernel.width * padded, 16)
    taken = _up(kernel + 2 * given.taken.height * given.taken.width * padded, 16)
    written = _up(taken + given.given.height * given.given.width * padded, 16)
    return written + 3 * 4 * padded + 16
