"""The estimated size of a full-int8 .tflite file, before anything is converted.

Beside weights a file holds tables, and a name for every value, kernel and bias. The converter makes a name of all
calls that went into a value, each led by the names of its layer and model, so that the names of a convolution with a
bias and an activation take more room than its tables; they are spelt out here as it spells them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import keras

from tfelastic._cost.layer_operations import FUSED
from tfelastic._cost.lowering import Operation, lower
from tfelastic._cost.memory import peak_bytes
from tfelastic._plan import Selection
from tfelastic.graph import Step

# Beside the int8 weights, in bytes, for each output channel of a kernel: a float scale and an int64 zero point for
# kernel and for bias, and the int32 bias itself.
_PER_CHANNEL = 28
_PER_BIAS = 4

# What the tables take, fitted on converted networks of the zoo at full and half width (benchmarks/cost_models.py
# prints the fit).
_PER_FILE = 836
_PER_OPERATION = 134
_PER_KERNEL = 216
_PER_CONSTANT = 128

# How many constants an operation reads that are no kernels: shapes, axes, margins, factors.
_CONSTANTS = {
    "MEAN": 1,
    "PAD": 1,
    "PRELU": 1,
    "REDUCE_MAX": 1,
    "RESHAPE": 1,
    "RESIZE_BILINEAR": 1,
    "RESIZE_NEAREST_NEIGHBOR": 1,
    "STRIDED_SLICE": 3,
    "TILE": 1,
    "TRANSPOSE": 1,
    "TRANSPOSE_CONV": 1,
}

# What the converter calls the product with a kernel.
_PRODUCTS = {
    "CONV_2D": "convolution",
    "DEPTHWISE_CONV_2D": "depthwise",
    "FULLY_CONNECTED": "MatMul",
    "TRANSPOSE_CONV": "conv_transpose",
}

# The length of the last part of any other value's name: Add, MaxPool2d, batchnorm/mul_1.
_OTHER_PART = 8


@dataclass(frozen=True)
class Anatomy:
    """What takes room in an int8 .tflite.

    Attributes:
        payload_bytes: Kernels, biases and their scales and zero points.
        operations: How many operations there are; each has a table, and one for the value that it makes.
        kernels: How many kernels there are; each has a table, and one for its bias.
        constants: How many other constants the operations read; each has a table.
        letters: The letters of the names of values, kernels and biases.
    """

    payload_bytes: int
    operations: int
    kernels: int
    constants: int
    letters: int


def tflite_bytes(selection: Selection) -> int:
    """Return the estimated size in bytes of the int8 .tflite of a graph under a plan."""
    found = anatomy(selection)
    tables = (
        _PER_FILE
        + _PER_OPERATION * found.operations
        + _PER_KERNEL * found.kernels
        + _PER_CONSTANT * found.constants
        + found.letters
    )
    return found.payload_bytes + round(tables)


def resident_bytes(selection: Selection) -> int:
    """Return the estimated memory in bytes of an int8 .tflite that is open on a phone, beyond the runtime's own.

    The file, its kernels and biases once more, as XNNPACK packs them for its tiles, and the activations' peak.
    """
    activations = peak_bytes(lower(selection), bytes_per_value=1)
    return tflite_bytes(selection) + anatomy(selection).payload_bytes + activations


def anatomy(selection: Selection) -> Anatomy:
    """Count what takes room in the int8 .tflite of a graph under a plan."""
    operations = lower(selection).operations
    # A step of several operations, such as a convolution and its swish, has its kernels once.
    steps = dict.fromkeys(operation.step for operation in operations)
    kernels = [kernel for step in steps for kernel in step.multiplications]
    payload = sum(_kernel_bytes(selection, kernel.variable) for kernel in kernels)
    return Anatomy(
        payload_bytes=payload - _shared_bias_bytes(selection, operations),
        operations=len(operations),
        kernels=len(kernels),
        constants=sum(map(_constants, operations)),
        letters=sum(_letters(selection, operation) for operation in operations),
    )


def _kernel_bytes(selection: Selection, variable: keras.Variable) -> int:
    return prod(selection.weight_shape(variable)) + _PER_CHANNEL * _channels(selection, variable)


def _channels(selection: Selection, variable: keras.Variable) -> int:
    """Return how many channels of a kernel have a scale of their own."""
    shape, bindings = selection.weight_shape(variable), selection.graph.bindings_of(variable)
    # A kernel that makes no channels of its own (depthwise) has scales for those that it holds.
    axes = [axis for axis, binding in bindings.items() if binding.creates] or list(bindings)[:1]
    return int(shape[axes[-1]]) if axes else 0


def _shared_bias_bytes(selection: Selection, operations: Sequence[Operation]) -> int:
    """Return what is saved because products without a bias share the zeros that stand for one."""
    counts = [
        _channels(selection, kernel.variable)
        for operation in operations
        if not operation.absorbed and not getattr(operation.step.op, "use_bias", True)
        for kernel in operation.step.multiplications
    ]
    return _PER_BIAS * (sum(counts) - sum(set(counts)))


def _constants(operation: Operation) -> int:
    # A factor or a shift per channel stands beside the one value that it is applied to.
    alone = operation.kind in ("ADD", "MUL", "SUB") and len(operation.reads) == 1
    return _CONSTANTS.get(operation.kind, int(alone))


def _letters(selection: Selection, operation: Operation) -> int:
    """Return how many letters the names of an operation's value and of its kernel and bias have."""
    product = _PRODUCTS.get(operation.kind)
    if product is None or not operation.step.multiplications:
        parts = _length(selection, operation.step, "x" * _OTHER_PART)
        return parts + sum(_length(selection, step, "Relu") for step in operation.absorbed)
    own = _length(selection, operation.step, product)
    added, biased = _added_parts(selection, operation)
    if operation.kind == "FULLY_CONNECTED":
        return own + 2 * added + own
    if not biased and not operation.absorbed:
        return 3 * own + added
    named = own + added
    scaled = operation.kind == "DEPTHWISE_CONV_2D" and not biased and operation.absorbed
    kernel = own + (added // 2 if scaled else 0)
    return 2 * named + kernel


def _added_parts(selection: Selection, operation: Operation) -> tuple[int, bool]:
    """Return the letters of what is added to a product's name, and whether it has a bias of its own."""
    op, length = operation.step.op, 0
    biased = bool(getattr(op, "use_bias", False))
    dense = operation.kind == "FULLY_CONNECTED"
    if biased:
        parts = ("BiasAdd",) if dense else ("BiasAdd", "Squeeze")
        length += sum(_length(selection, operation.step, part) for part in parts)
    if getattr(getattr(op, "activation", None), "__name__", "linear") in FUSED:
        length += _length(selection, operation.step, "Relu")
    for step in operation.absorbed:
        if not isinstance(step.op, keras.layers.BatchNormalization):
            length += _length(selection, step, "Relu")
            continue
        names = ["add_1"] if dense else ["add_1", "sub"]
        if biased or operation.kind == "DEPTHWISE_CONV_2D":
            names += ["mul_1", "mul"]
        length += sum(_length(selection, step, f"batchnorm/{name}") for name in names)
    return length, biased


def _length(selection: Selection, step: Step, part: str) -> int:
    # "net_1/block_1/conv_1/Relu;": behind each name stands the number of the call.
    names = f"{selection.graph.model.name}/{step.path}/"
    return len(names) + 2 * names.count("/") + len(part) + 1
