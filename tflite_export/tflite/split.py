"""Takes a .tflite whose operations do not depend on each other apart: one small file for each of them.

Converting costs seconds however small the model is; so hundreds of layers are converted side by side, in one go,
and taken apart here.
"""

import re
from collections.abc import Iterable
from typing import Any

from tflite_export.errors import ConversionError
from tflite_export.tflite.schema import generated, pack, read_tree


def split(tflite: bytes, *, inputs: str) -> dict[int, bytes]:
    """Return the parts of a file, each with the operations that depend on its own inputs.

    Args:
        tflite: A file with one subgraph.
        inputs: A regular expression that finds the part's number, as its first group, in the name of an input.

    Returns:
        The bytes of each part as a file of its own, by the part's number.

    Raises:
        ConversionError: An input's name holds no number.
    """
    model = read_tree(tflite)
    graph = model.subgraphs[0]
    starts: dict[int, list[int]] = {}
    for tensor in graph.inputs:
        found = re.search(inputs, graph.tensors[tensor].name.decode())
        if found is None:
            raise ConversionError(f"no part's number in the input {graph.tensors[tensor].name!r}")
        starts.setdefault(int(found[1]), []).append(int(tensor))
    outputs = set(map(int, graph.outputs))
    parts = {}
    for number, tensors in starts.items():
        operators = _operators(graph, tensors)
        parts[number] = pack(_part(model, tensors, operators, outputs))
    return parts


def _operators(graph: Any, tensors: Iterable[int]) -> list[Any]:
    """Return the operators that depend on `tensors`, in order."""
    reached, found = set(tensors), []
    for operator in graph.operators:
        if reached.intersection(map(int, operator.inputs)):
            found.append(operator)
            reached.update(map(int, operator.outputs))
    return found


def _part(model: Any, inputs: list[int], operators: list[Any], outputs: set[int]) -> Any:
    """Return a model of some operators alone."""
    schema = generated()
    whole = model.subgraphs[0]
    # The first buffer of a file is empty by definition.
    file, part, renumbered = schema.ModelT(), schema.SubGraphT(), {-1: -1}
    codes, buffers = [], [schema.BufferT()]
    part.tensors, part.operators = [], []

    def renumber(tensors: Iterable[int]) -> list[int]:
        for tensor in map(int, tensors):
            if tensor not in renumbered:
                renumbered[tensor] = len(part.tensors)
                part.tensors.append(_copy(schema.TensorT(), whole.tensors[tensor]))
                part.tensors[-1].buffer = len(buffers)
                buffers.append(model.buffers[whole.tensors[tensor].buffer])
        return [renumbered[int(tensor)] for tensor in tensors]

    part.inputs = renumber(inputs)
    for operator in operators:
        copy = _copy(schema.OperatorT(), operator)
        codes.append(model.operatorCodes[operator.opcodeIndex])
        copy.opcodeIndex = len(codes) - 1
        copy.inputs, copy.outputs = renumber(operator.inputs), renumber(operator.outputs)
        part.operators.append(copy)
    part.outputs = [renumbered[tensor] for tensor in renumbered if tensor in outputs]
    file.version, file.subgraphs = model.version, [part]
    file.operatorCodes, file.buffers = codes, buffers
    return file


def _copy(fresh: Any, old: Any) -> Any:
    vars(fresh).update(vars(old))
    return fresh
