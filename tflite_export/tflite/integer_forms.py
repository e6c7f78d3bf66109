"""What a float file is changed in before it is quantized: it computes the same, in forms that integers have.

Operators without an integer kernel in TFLite become others:

| operator                 | becomes                | in           |
|--------------------------|------------------------|--------------|
| NEG(a)                   | MUL(a, -1)             | int8, int16  |
| SQUARE(a)                | MUL(a, a)              | int8, int16  |
| SQUARED_DIFFERENCE(a, b) | d = SUB(a, b), MUL(d, d) | int16      |

Besides, a bias that several operators read (a layer that is called more than once) becomes one for each: as integers
its scale is that of the operator's input times the weights', and the converter to int16 writes the first one's alone.

Each is equal to the bit in float32, so that what is calibrated on the new file is true of the old one.
"""

from typing import Any

import numpy as np

from tflite_export.tflite.schema import code_name, generated, pack, read_tree

REPLACED = {
    "int8": frozenset({"NEG", "SQUARE"}),
    "int16": frozenset({"NEG", "SQUARE", "SQUARED_DIFFERENCE"}),
}
"""The operators that have no kernel for activations of a type."""


def with_integer_forms(tflite: bytes, *, activations: str) -> bytes:
    """Return a float file without what is named above; one that has nothing of it comes back as it is.

    Args:
        tflite: The file, of one subgraph.
        activations: The type that the values between operations will have: `"int8"` or `"int16"`.
    """
    tree = read_tree(tflite)
    names = [code_name(code) for code in tree.operatorCodes]
    separated = activations == "int16" and _separate_biases(tree, names)
    if not (separated or REPLACED[activations].intersection(names)):
        return tflite
    operators = []
    for operator in tree.subgraphs[0].operators:
        name = names[operator.opcodeIndex]
        if name in REPLACED[activations]:
            inputs, output = list(map(int, operator.inputs)), int(operator.outputs[0])
            first = inputs[0]
            if name == "SQUARED_DIFFERENCE":
                first = _like(tree, output)
                operators.append(_operator(tree, "SUB", inputs, first))
            factor = _constant(tree, -1.0) if name == "NEG" else first
            operator = _operator(tree, "MUL", [first, factor], output)
        operators.append(operator)
    tree.subgraphs[0].operators = operators
    _leave_out_unused_codes(tree)
    return pack(tree)


#: The place of the bias among an operator's inputs.
_BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}


def _separate_biases(tree: Any, names: list[str]) -> bool:
    """Give each operator a bias of its own; return whether any had to be copied."""
    graph, seen, copied = tree.subgraphs[0], set[int](), False
    for operator in graph.operators:
        place = _BIAS.get(names[operator.opcodeIndex], len(operator.inputs))
        # A number of -1 says that there is none.
        if place >= len(operator.inputs) or (number := int(operator.inputs[place])) < 0:
            continue
        if number in seen:
            bias = graph.tensors[number]
            copy = {"shape": bias.shape, "name": bias.name, "data": tree.buffers[bias.buffer].data}
            operator.inputs = [*operator.inputs[:place], _tensor(tree, **copy)]
            copied = True
        seen.add(number)
    return copied


def _operator(tree: Any, name: str, inputs: list[int], output: int) -> Any:
    """Return an operator of two inputs; its code is added where the file has none."""
    schema, codes = generated(), tree.operatorCodes
    if name not in map(code_name, codes):
        number = getattr(schema.BuiltinOperator, name)
        codes.append(schema.OperatorCodeT(deprecatedBuiltinCode=number, builtinCode=number))
    kind = f"{name.capitalize()}Options"
    return schema.OperatorT(
        opcodeIndex=list(map(code_name, codes)).index(name),
        inputs=inputs,
        outputs=[output],
        builtinOptionsType=getattr(schema.BuiltinOptions, kind),
        builtinOptions=getattr(schema, f"{kind}T")(),
    )


def _like(tree: Any, number: int) -> int:
    """Add a tensor of another's shape; return its number."""
    tensors = tree.subgraphs[0].tensors
    other = tensors[number]
    return _tensor(tree, shape=other.shape, name=other.name + b";difference")


def _constant(tree: Any, value: float) -> int:
    """Add a float32 scalar; return its tensor's number."""
    data = np.frombuffer(np.float32(value).tobytes(), np.uint8)
    return _tensor(tree, shape=np.empty(0, np.int32), name=f"constant {value}", data=data)


def _tensor(
    tree: Any, *, shape: np.ndarray, name: str | bytes, data: np.ndarray | None = None
) -> int:
    schema, tensors = generated(), tree.subgraphs[0].tensors
    tree.buffers.append(schema.BufferT(data=data))
    buffer, dtype = len(tree.buffers) - 1, schema.TensorType.FLOAT32
    tensors.append(schema.TensorT(shape, dtype, buffer, name, hasRank=True))
    return len(tensors) - 1


def _leave_out_unused_codes(tree: Any) -> None:
    """Renumber the operators' codes: TensorFlow's calibrator opens no file with one that is not used."""
    graph = tree.subgraphs[0]
    used = sorted({int(operator.opcodeIndex) for operator in graph.operators})
    for operator in graph.operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    tree.operatorCodes = [tree.operatorCodes[index] for index in used]
