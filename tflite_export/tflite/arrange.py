"""The order of a file's inputs and outputs, which the converter chooses by itself."""

from collections.abc import Sequence
from typing import Any

from tflite_export.tflite.schema import pack, read_tables, read_tree


def input_order(tflite: bytes, names: Sequence[str]) -> list[int]:
    """Return, for each input of a file, its place in `names`, by which the entry point knows the inputs."""
    model = read_tables(tflite)
    entry = model.SignatureDefs(0)
    inputs = [entry.Inputs(index) for index in range(entry.InputsLength())]
    named = {each.TensorIndex(): each.Name().decode() for each in inputs}
    return [list(names).index(named[int(tensor)]) for tensor in model.Subgraphs(0).InputsAsNumpy()]


def arrange(tflite: bytes, *, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """Return a file whose inputs and outputs stand in the given order of the entry point's names.

    A file that is in order comes back as it is.
    """
    tree = read_tree(tflite)
    entry, graph = tree.signatureDefs[0], tree.subgraphs[0]
    sides = [(graph.inputs, entry.inputs, inputs), (graph.outputs, entry.outputs, outputs)]
    wanted = [_tensors(named, names) for _, named, names in sides]
    if all(list(side[0]) == tensors for side, tensors in zip(sides, wanted, strict=True)):
        return tflite
    graph.inputs, graph.outputs = wanted
    return pack(tree)


def _tensors(named: Any, names: Sequence[str]) -> list[int]:
    by_name = {each.name.decode(): int(each.tensorIndex) for each in named}
    return [by_name[name] for name in names]
