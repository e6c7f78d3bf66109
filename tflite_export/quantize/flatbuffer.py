"""What a .tflite file says about itself: the one door to TFLite's generated schema classes.

`summarize` reads the tables, never the weights, so that a file of any size is summarized in
milliseconds. `kernels` returns the weights as views: what is written through them changes the file in
place, and nothing in it moves.
"""

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_export.errors import ConversionError

FILE_IDENTIFIER = b"TFL3"

BUFFER_ALIGNMENT = 16

WEIGHTED = {
    "CONV_2D": (1, 2),
    "DEPTHWISE_CONV_2D": (1, 2),
    "FULLY_CONNECTED": (1, 2),
    "TRANSPOSE_CONV": (1, 3),
}
"""The operators that multiply by a kernel: which of their inputs are the kernel and the bias."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of a .tflite file.

    Attributes:
        name: The name that the converter gave it; empty where names were stripped.
        dtype: Its type as numpy calls it: `"int8"`, `"float32"`.
        shape: Its shape, -1 for an axis whose size is not fixed.
        scale: Real value of one step, None where the tensor is not quantized.
        zero_point: Integer that stands for the real value 0, None where the tensor is not
            quantized.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True)
class Summary:
    """The parts of a .tflite file that say whether a device can run it.

    Attributes:
        operators: Names of the operators used, each once, in alphabetical order; a custom operator
            is `CUSTOM:` and its name, as are TensorFlow's own: `CUSTOM:FlexMatMul`.
        inputs: Input tensors of the main subgraph.
        outputs: Output tensors of the main subgraph.
        dtypes: Types of all tensors, each once, in alphabetical order.
        subgraphs: Number of subgraphs; 1 in a feed-forward network.
        signatures: Number of entry points.
        constant_bytes: Bytes of all weights and constants.
    """

    operators: tuple[str, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    dtypes: tuple[str, ...]
    subgraphs: int
    signatures: int
    constant_bytes: int


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


def kernels(tflite: bytearray) -> list[Kernel]:
    """Return the weights of the operators that multiply by a constant, in the order of execution.

    Args:
        tflite: The file's bytes; writing to the views writes here.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(tflite)
    graph = model.Subgraphs(0)
    names = list(_operators(model, _names(schema.BuiltinOperator)))
    operators = [graph.Operators(index) for index in range(graph.OperatorsLength())]
    tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
    readers = Counter(
        tensors[index].Buffer()
        for operator in operators
        for index in operator.InputsAsNumpy()
        if index >= 0
    )
    found = []
    for operator in operators:
        name, inputs = names[operator.OpcodeIndex()], list(operator.InputsAsNumpy())
        if name not in WEIGHTED:
            continue
        weights, bias = (
            tensors[inputs[place]] if place < len(inputs) and inputs[place] >= 0 else None
            for place in WEIGHTED[name]
        )
        constant = _constant(model, weights)
        if constant is not None:
            used = [tensor for tensor in (weights, bias) if tensor is not None]
            found.append(
                Kernel(
                    operator=name,
                    weights=constant,
                    bias=_constant(model, bias) if bias is not None else None,
                    exclusive=all(readers[tensor.Buffer()] == 1 for tensor in used),
                )
            )
    return found


def _constant(model: Any, tensor: Any) -> Values | None:
    from ai_edge_litert import schema_py_generated as schema

    data = model.Buffers(tensor.Buffer())
    if data.DataLength() == 0:
        return None
    dtype = np.dtype(_names(schema.TensorType)[tensor.Type()].lower())
    values = data.DataAsNumpy().view(dtype).reshape(tensor.ShapeAsNumpy())
    return Values(values=values, scales=_scales(tensor))


def _scales(tensor: Any) -> np.ndarray:
    quantization = tensor.Quantization()
    if quantization is None or quantization.ScaleLength() == 0:
        return np.empty(0, np.float32)
    scales: np.ndarray = quantization.ScaleAsNumpy()
    return scales


def strip(tflite: bytes) -> bytes:
    """Return the same network without names, metadata and entry points.

    What runs it finds its one input and its one output by their places.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite))
    model.description = model.metadata = model.metadataBuffer = model.signatureDefs = None
    # The first buffer of a file is empty by definition.
    kept = {0: 0}
    for graph in model.subgraphs:
        graph.name = None
        for tensor in graph.tensors:
            tensor.name = None
            if tensor.quantization is not None:
                tensor.quantization.min = tensor.quantization.max = None
            tensor.buffer = kept.setdefault(tensor.buffer, len(kept))
    model.buffers = [model.buffers[old] for old in kept]
    return pack(model)


def pack(model: Any) -> bytes:
    """Write a `ModelT` of the schema's object interface as a file, its buffers aligned to 16 bytes."""
    import flatbuffers  # type: ignore[import-untyped]

    class Aligned(flatbuffers.Builder):
        """Aligns vectors of bytes, which are the buffers, as the schema demands; Python's own does not."""

        def StartVector(self, size: int, count: int, alignment: int) -> Any:  # noqa: N802
            return super().StartVector(size, count, BUFFER_ALIGNMENT if size == 1 else alignment)

    builder = Aligned(1024)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def summarize(tflite: bytes) -> Summary:
    """Read the tables of a .tflite file.

    Raises:
        ConversionError: The bytes are no .tflite file.
    """
    if len(tflite) < 8 or tflite[4:8] != FILE_IDENTIFIER:
        raise ConversionError(
            f"not a .tflite file: {len(tflite)} bytes that do not carry the mark 'TFL3' at offset 4"
        )
    try:
        return _summarize(tflite)
    except (struct.error, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ConversionError(f"the .tflite file is damaged: {error}") from error


def _summarize(tflite: bytes) -> Summary:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(tflite)
    graph = model.Subgraphs(0)
    types = _names(schema.TensorType)
    tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
    return Summary(
        operators=tuple(sorted(_operators(model, _names(schema.BuiltinOperator)))),
        inputs=tuple(_tensor(tensors[index], types) for index in graph.InputsAsNumpy()),
        outputs=tuple(_tensor(tensors[index], types) for index in graph.OutputsAsNumpy()),
        dtypes=tuple(sorted({types[tensor.Type()].lower() for tensor in tensors})),
        subgraphs=model.SubgraphsLength(),
        signatures=model.SignatureDefsLength(),
        constant_bytes=sum(model.Buffers(i).DataLength() for i in range(model.BuffersLength())),
    )


def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


def _operators(model: Any, builtins: dict[int, str]) -> Iterator[str]:
    for index in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(index)
        if code.CustomCode() is not None:
            yield "CUSTOM:" + code.CustomCode().decode()
        else:
            # Codes up to 127 stand in the older, one-byte field, later ones in the newer field.
            yield builtins[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]


def _tensor(tensor: Any, types: dict[int, str]) -> Tensor:
    shape = (
        tensor.ShapeAsNumpy() if tensor.ShapeSignatureIsNone() else tensor.ShapeSignatureAsNumpy()
    )
    quantization = tensor.Quantization()
    quantized = quantization is not None and quantization.ScaleLength() == 1
    return Tensor(
        name=(tensor.Name() or b"").decode(),
        dtype=types[tensor.Type()].lower(),
        shape=tuple(int(size) for size in shape) if tensor.ShapeLength() else (),
        scale=float(quantization.Scale(0)) if quantized else None,
        zero_point=int(quantization.ZeroPoint(0)) if quantized else None,
    )


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


def buffers(tflite: bytes) -> tuple[Buffer, ...]:
    """Return where the constants of a .tflite file stand, by ascending offset, each place once.

    Raises:
        ConversionError: The bytes are no .tflite file.
    """
    summarize(tflite)
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(tflite)
    types, start = _names(schema.TensorType), np.frombuffer(tflite, np.uint8).ctypes.data
    found: dict[int, Buffer] = {}
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        for tensor in map(graph.Tensors, range(graph.TensorsLength())):
            values = model.Buffers(tensor.Buffer()).DataAsNumpy()
            if not isinstance(values, np.ndarray) or not values.size:
                continue
            place = values.ctypes.data - start
            shape = tuple(map(int, tensor.ShapeAsNumpy())) if tensor.ShapeLength() else ()
            found.setdefault(place, Buffer(types[tensor.Type()].lower(), shape, place, values.size))
    return tuple(found[place] for place in sorted(found))
