"""What a .tflite file says about itself, read from its tables, never from the weights.

So a file of any size is summarized in milliseconds.
"""

import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tflite_export.errors import ConversionError
from tflite_export.tflite.schema import FILE_IDENTIFIER, operator_name, read_tables, type_name


@dataclass(frozen=True)
class Tensor:
    """An input or output of a .tflite file.

    Attributes:
        name: The name that the converter gave it; empty where names were stripped.
        signature_name: What the file's one signature calls it; empty where there is none.
        dtype: Its type as numpy calls it: `"int8"`, `"float32"`.
        shape: Its shape, -1 for an axis whose size is not fixed.
        scale: Real value of one step, None where the tensor is not quantized.
        zero_point: Integer that stands for the real value 0, None where the tensor is not
            quantized.
    """

    name: str
    signature_name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True)
class Summary:
    """The parts of a .tflite file that say whether a device can run it.

    Attributes:
        operators: How often each operator is used, by its name in alphabetical order; a custom operator
            is `CUSTOM:` and its name, as are TensorFlow's own: `CUSTOM:FlexMatMul`.
        inputs: Input tensors of the main subgraph.
        outputs: Output tensors of the main subgraph.
        dtypes: Types of all tensors, each once, in alphabetical order.
        subgraphs: Number of subgraphs; 1 in a feed-forward network.
        signatures: Number of entry points.
        constant_bytes: Bytes of all weights and constants.
    """

    operators: dict[str, int]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    dtypes: tuple[str, ...]
    subgraphs: int
    signatures: int
    constant_bytes: int


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
    model = read_tables(tflite)
    graph = model.Subgraphs(0)
    tensors = [graph.Tensors(index) for index in range(graph.TensorsLength())]
    return Summary(
        operators=_operators(model),
        inputs=_tensors(tensors, graph.InputsAsNumpy(), _signature_names(model, "Inputs")),
        outputs=_tensors(tensors, graph.OutputsAsNumpy(), _signature_names(model, "Outputs")),
        dtypes=tuple(sorted(set(map(type_name, tensors)))),
        subgraphs=model.SubgraphsLength(),
        signatures=model.SignatureDefsLength(),
        constant_bytes=sum(model.Buffers(i).DataLength() for i in range(model.BuffersLength())),
    )


def _operators(model: Any) -> dict[str, int]:
    """Return how often all subgraphs together use each operator."""
    codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
    names = [operator_name(code) for code in codes]
    graphs = [model.Subgraphs(index) for index in range(model.SubgraphsLength())]
    used = Counter(
        names[graph.Operators(index).OpcodeIndex()]
        for graph in graphs
        for index in range(graph.OperatorsLength())
    )
    return dict(sorted(used.items()))


def _signature_names(model: Any, side: str) -> dict[int, str]:
    """Return what the file's one signature calls each tensor, by the tensor's index."""
    if model.SignatureDefsLength() != 1:
        return {}
    signature = model.SignatureDefs(0)
    entries = (getattr(signature, side)(i) for i in range(getattr(signature, f"{side}Length")()))
    return {entry.TensorIndex(): (entry.Name() or b"").decode() for entry in entries}


def _tensors(
    tensors: Sequence[Any], indices: Sequence[int], names: Mapping[int, str]
) -> tuple[Tensor, ...]:
    return tuple(_tensor(tensors[index], names.get(int(index), "")) for index in indices)


def _tensor(tensor: Any, signature_name: str) -> Tensor:
    shape = (
        tensor.ShapeAsNumpy() if tensor.ShapeSignatureIsNone() else tensor.ShapeSignatureAsNumpy()
    )
    quantization = tensor.Quantization()
    quantized = quantization is not None and quantization.ScaleLength() == 1
    return Tensor(
        name=(tensor.Name() or b"").decode(),
        signature_name=signature_name,
        dtype=type_name(tensor),
        shape=tuple(int(size) for size in shape) if tensor.ShapeLength() else (),
        scale=float(quantization.Scale(0)) if quantized else None,
        zero_point=int(quantization.ZeroPoint(0)) if quantized else None,
    )
