"""Scratch of the reference kernels. Source: tflite-micro, `tensorflow/lite/micro/kernels/*.cc`."""

from collections.abc import Sequence

from tflite_export.tflite import Graph, GraphOperator, GraphTensor

_INT_BYTES = 4
_POINTER_BYTES = 4


def scratch(graph: Graph, operator: GraphOperator) -> Sequence[int]:
    """Return the bytes of each scratch buffer that a reference kernel asks for."""
    tensors = [graph.tensors[number] if number >= 0 else None for number in operator.inputs]
    first, output = tensors[0] if tensors else None, graph.tensors[operator.outputs[0]]
    if first is None:
        return ()
    if operator.name in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"):
        return _reduction(operator.name, first, _given(tensors[1]), output)
    if operator.name == "ADD_N" and output.dtype in ("float32", "int8"):
        return (_POINTER_BYTES * len(tensors),)
    if operator.name == "MIRROR_PAD":
        return (_INT_BYTES * len(first.shape),) * 2
    if operator.name == "TRANSPOSE_CONV":
        return transpose_conv(_given(tensors[2]), output)
    return ()


def transpose_conv(taken: GraphTensor, output: GraphTensor) -> Sequence[int]:
    """Return the scratch of a transposed convolution: its sums before they are scaled."""
    sums = {"int8": 4, "int16": 8}.get(taken.dtype)
    return () if sums is None else (sums * output.elements,)


def _reduction(
    name: str, taken: GraphTensor, axes: GraphTensor, output: GraphTensor
) -> Sequence[int]:
    walks = (_INT_BYTES * len(taken.shape), _INT_BYTES * axes.elements)
    sums = name in ("MEAN", "SUM") and taken.dtype in ("int8", "int16")
    return (4 * output.elements, *walks) if sums else walks


def _given(tensor: GraphTensor | None) -> GraphTensor:
    if tensor is None:
        raise ValueError("the operation lacks an input that it must have")
    return tensor
