"""The main subgraph of a .tflite file as numbers: what each operation reads and writes, and how large it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from tflite_export.tflite.schema import operator_name, read_tables, read_tree, type_name_of
from tflite_export.tflite.summary import summarize


@dataclass(frozen=True)
class GraphTensor:
    """One tensor.

    Attributes:
        dtype: Its type as numpy calls it: `"int8"`, `"float32"`.
        shape: Its shape.
        constant: Whether the file holds its values.
        variable: Whether it keeps its values between two runs.
        channels: How many scales it has; 1 for a scale of the whole tensor, 0 where it is not quantized.
    """

    dtype: str
    shape: tuple[int, ...]
    constant: bool = False
    variable: bool = False
    channels: int = 0

    @property
    def elements(self) -> int:
        """How many values it holds."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """How many bytes they take."""
        bits = 4 if self.dtype == "int4" else 8 * np.dtype(self.dtype).itemsize
        return -(-self.elements * bits // 8)


@dataclass(frozen=True, eq=False)
class GraphOperator:
    """One operation.

    Attributes:
        name: As the schema calls it: `"CONV_2D"`.
        inputs: The numbers of the tensors that it reads, -1 where it lacks one.
        outputs: Those that it writes.
        options: Its settings by their names in the schema's classes: `"strideW"`, `"padding"`.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Graph:
    """A file's main subgraph.

    Attributes:
        tensors: All tensors, in the file's order.
        operators: The operations, in the order of execution.
        inputs: The numbers of the tensors that enter.
        outputs: Those that leave.
    """

    tensors: tuple[GraphTensor, ...]
    operators: tuple[GraphOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_graph(tflite: bytes) -> Graph:
    """Return the main subgraph of a file.

    Raises:
        ConversionError: The bytes are no .tflite file.
    """
    summarize(tflite)
    model, tree = read_tables(tflite), read_tree(tflite)
    graph = tree.subgraphs[0]
    names = [operator_name(model.OperatorCodes(i)) for i in range(model.OperatorCodesLength())]
    return Graph(
        tensors=tuple(_tensor(tensor, tree.buffers) for tensor in graph.tensors),
        operators=tuple(
            GraphOperator(
                name=names[operator.opcodeIndex],
                inputs=_numbers(operator.inputs),
                outputs=_numbers(operator.outputs),
                options=vars(operator.builtinOptions) if operator.builtinOptions else {},
            )
            for operator in graph.operators
        ),
        inputs=_numbers(graph.inputs),
        outputs=_numbers(graph.outputs),
    )


def _tensor(tensor: Any, buffers: Any) -> GraphTensor:
    data, quantization = buffers[tensor.buffer].data, tensor.quantization
    scales = None if quantization is None else quantization.scale
    return GraphTensor(
        dtype=type_name_of(tensor.type),
        shape=_numbers(tensor.shape),
        constant=data is not None and len(data) > 0,
        variable=bool(tensor.isVariable),
        channels=0 if scales is None else len(scales),
    )


def _numbers(values: Any) -> tuple[int, ...]:
    return () if values is None else tuple(map(int, values))
