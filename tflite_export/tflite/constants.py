"""The constants of a .tflite file: where they stand, and the kernels among them as views into the file.

What is written through a view changes the file in place, and nothing in it moves.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_export.tflite.schema import operator_name, read_tables, type_name
from tflite_export.tflite.summary import summarize

WEIGHTED = {
    "CONV_2D": (1, 2),
    "DEPTHWISE_CONV_2D": (1, 2),
    "FULLY_CONNECTED": (1, 2),
    "TRANSPOSE_CONV": (1, 3),
}
"""The operators that multiply by a kernel: which of their inputs are the kernel and the bias."""


@dataclass(frozen=True)
class Buffer:
    """Where the values of a constant tensor stand in the file.

    Attributes:
        dtype: Their type as the schema calls it, in lower case: `"int8"`, `"float32"`.
        shape: The tensor's shape; a convolution's kernel is `[out, height, width, in]`, a depthwise
            one `[1, height, width, channels]`, a dense one `[out, in]`.
        offset: Where they begin, in bytes from the file's start.
        bytes: How many bytes they take.
    """

    dtype: str
    shape: tuple[int, ...]
    offset: int
    bytes: int


@dataclass(frozen=True, eq=False)
class Values:
    """A constant's values and their scales, as views into the file's bytes.

    Attributes:
        values: The values as stored, in the tensor's shape.
        scales: Real value of one step, float32 `[channels]` or `[1]`; empty where not quantized.
    """

    values: np.ndarray
    scales: np.ndarray


@dataclass(frozen=True, eq=False)
class Kernel:
    """The weights of one operator.

    Attributes:
        operator: The operator's name, such as `"CONV_2D"`.
        weights: What it multiplies by.
        bias: What it adds, if it adds a constant.
        exclusive: Whether no other operator uses these weights or this bias.
    """

    operator: str
    weights: Values
    bias: Values | None
    exclusive: bool


def buffers(tflite: bytes) -> tuple[Buffer, ...]:
    """Return where the constants of a .tflite file stand, by ascending offset, each place once.

    Raises:
        ConversionError: The bytes are no .tflite file.
    """
    summarize(tflite)
    model, start = read_tables(tflite), np.frombuffer(tflite, np.uint8).ctypes.data
    found: dict[int, Buffer] = {}
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        for tensor in map(graph.Tensors, range(graph.TensorsLength())):
            values = model.Buffers(tensor.Buffer()).DataAsNumpy()
            if not isinstance(values, np.ndarray) or not values.size:
                continue
            place = values.ctypes.data - start
            shape = tuple(map(int, tensor.ShapeAsNumpy())) if tensor.ShapeLength() else ()
            found.setdefault(place, Buffer(type_name(tensor), shape, place, values.size))
    return tuple(found[place] for place in sorted(found))


def kernels(tflite: bytearray) -> list[Kernel]:
    """Return the weights of the operators that multiply by a constant, in the order of execution.

    Args:
        tflite: The file's bytes; writing to the views writes here.
    """
    return list(_kernels(read_tables(tflite)))


def _kernels(model: Any) -> Iterator[Kernel]:
    graph = model.Subgraphs(0)
    operators = [graph.Operators(index) for index in range(graph.OperatorsLength())]
    tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
    readers = Counter(
        tensors[index].Buffer()
        for operator in operators
        for index in operator.InputsAsNumpy()
        if index >= 0
    )
    for operator in operators:
        name = operator_name(model.OperatorCodes(operator.OpcodeIndex()))
        if name not in WEIGHTED:
            continue
        inputs = list(operator.InputsAsNumpy())
        weights, bias = (
            tensors[inputs[place]] if place < len(inputs) and inputs[place] >= 0 else None
            for place in WEIGHTED[name]
        )
        constant = _constant(model, weights)
        if constant is None:
            continue
        used = [tensor for tensor in (weights, bias) if tensor is not None]
        yield Kernel(
            operator=name,
            weights=constant,
            bias=_constant(model, bias) if bias is not None else None,
            exclusive=all(readers[tensor.Buffer()] == 1 for tensor in used),
        )


def _constant(model: Any, tensor: Any) -> Values | None:
    data = model.Buffers(tensor.Buffer())
    if data.DataLength() == 0:
        return None
    values = data.DataAsNumpy().view(np.dtype(type_name(tensor))).reshape(tensor.ShapeAsNumpy())
    return Values(values=values, scales=_scales(tensor))


def _scales(tensor: Any) -> np.ndarray:
    quantization = tensor.Quantization()
    if quantization is None or quantization.ScaleLength() == 0:
        return np.empty(0, np.float32)
    scales: np.ndarray = quantization.ScaleAsNumpy()
    return scales
