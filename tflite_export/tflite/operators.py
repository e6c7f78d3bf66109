"""The operators of a .tflite file in the order of execution, with what they read and write."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_export.tflite.schema import operator_name, read_tables, type_name


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that an operator reads or writes.

    Attributes:
        index: Its number in the file.
        name: The converter's name for it, which begins with the Keras layer's; empty where names were stripped.
        dtype: Its type as numpy calls it.
        low: The smallest value that calibration saw, None where there was none.
        high: The largest one.
        constant: Its values where the file holds them, flat, else None.
    """

    index: int
    name: str
    dtype: str
    low: float | None
    high: float | None
    constant: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator.

    Attributes:
        name: As the schema calls it: `"CONV_2D"`.
        inputs: What it reads.
        outputs: What it writes.
    """

    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]

    def __str__(self) -> str:
        # The converter joins the names of what it fused by semicolons.
        place = self.outputs[0].name.partition(";")[0] if self.outputs else ""
        return f"{self.name} ({place!r})" if place else self.name


def operators(tflite: bytes) -> tuple[Operator, ...]:
    """Return the operators of a file's main subgraph."""
    model = read_tables(tflite)
    graph = model.Subgraphs(0)
    values = [_value(model, graph.Tensors(index), index) for index in range(graph.TensorsLength())]
    found = []
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        found.append(
            Operator(
                operator_name(model.OperatorCodes(operator.OpcodeIndex())),
                _chosen(values, operator.InputsAsNumpy()),
                _chosen(values, operator.OutputsAsNumpy()),
            )
        )
    return tuple(found)


def _chosen(values: list[Value], indices: Any) -> tuple[Value, ...]:
    # An operator without inputs has the number 0 in the place of an array.
    return tuple(values[index] for index in np.atleast_1d(indices) if index >= 0)


def _value(model: Any, tensor: Any, index: int) -> Value:
    quantization, dtype = tensor.Quantization(), type_name(tensor)
    ranged = quantization is not None and quantization.MinLength() and quantization.MaxLength()
    data, constant = model.Buffers(tensor.Buffer()), None
    if data.DataLength() and dtype in ("float32", "float16"):
        constant = data.DataAsNumpy().view(dtype)
    return Value(
        index,
        name=(tensor.Name() or b"").decode(),
        dtype=dtype,
        low=float(quantization.MinAsNumpy().min()) if ranged else None,
        high=float(quantization.MaxAsNumpy().max()) if ranged else None,
        constant=constant,
    )
