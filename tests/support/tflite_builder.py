"""Small .tflite files of chosen operators, written through the schema without a converter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tflite_export.tflite.schema import generated, pack


@dataclass(frozen=True)
class Cell:
    """A tensor of a file to write: its type, shape and quantization, and its values where it is a constant."""

    dtype: str
    shape: tuple[int, ...]
    scale: float | None = None
    zero_point: int = 0
    values: np.ndarray | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Node:
    """An operator of a file to write: its name, the numbers of its tensors, its options' class and values."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


def tflite_file(
    cells: Sequence[Cell], nodes: Sequence[Node], *, inputs: Sequence[int], outputs: Sequence[int]
) -> bytes:
    """Return a .tflite of one subgraph."""
    schema = generated()
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    names = list(dict.fromkeys(node.name for node in nodes))
    model.operatorCodes = [_code(schema, name) for name in names]
    graph.tensors = [_tensor(schema, model, cell) for cell in cells]
    graph.operators = [_operator(schema, node, names.index(node.name)) for node in nodes]
    graph.inputs, graph.outputs = list(inputs), list(outputs)
    return pack(model)


def _code(schema: Any, name: str) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
    return code


def _tensor(schema: Any, model: Any, cell: Cell) -> Any:
    tensor = schema.TensorT()
    tensor.shape, tensor.type = list(cell.shape), getattr(schema.TensorType, cell.dtype.upper())
    if cell.scale is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = [cell.scale]
        tensor.quantization.zeroPoint = [cell.zero_point]
    tensor.buffer = len(model.buffers)
    buffer = schema.BufferT()
    if cell.values is not None:
        buffer.data = np.frombuffer(np.asarray(cell.values, cell.dtype).tobytes(), np.uint8)
    model.buffers.append(buffer)
    return tensor


def _operator(schema: Any, node: Node, code: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = list(node.inputs), list(node.outputs)
    if node.options:
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, node.options)
        operator.builtinOptions = getattr(schema, f"{node.options}T")(**node.values)
    return operator
