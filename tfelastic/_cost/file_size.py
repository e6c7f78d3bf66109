"""The estimated size of a full-int8 .tflite file, before anything is converted."""

from dataclasses import dataclass
from math import prod

import keras

from tfelastic._cost.lowering import Operation, lower
from tfelastic._plan import Selection

# Beside the int8 weights, in bytes, for each output channel of a kernel: a float scale and an int64 zero point for
# kernel and for bias, and the int32 bias itself.
_PER_CHANNEL = 28

# What the tables take, fitted on converted networks of the zoo at full and half width (benchmarks/cost_models.py
# prints the fit).
_PER_FILE = 2060
_PER_OPERATION = 93
_PER_KERNEL = 80
_PER_LETTER = 2.2


@dataclass(frozen=True)
class Anatomy:
    """What takes room in an int8 .tflite.

    Attributes:
        payload_bytes: Kernels, biases and their scales and zero points.
        operations: How many operations there are; each has a table, and one for the value that it makes.
        kernels: How many kernels there are; each has a table, and one for its bias.
        letters: Values, kernels and biases are named after all layers that went into them: the letters of those names.
    """

    payload_bytes: int
    operations: int
    kernels: int
    letters: int


def tflite_bytes(selection: Selection) -> int:
    """Return the estimated size in bytes of the int8 .tflite of a graph under a plan."""
    found = anatomy(selection)
    tables = (
        _PER_FILE
        + _PER_OPERATION * found.operations
        + _PER_KERNEL * found.kernels
        + _PER_LETTER * found.letters
    )
    return found.payload_bytes + round(tables)


def anatomy(selection: Selection) -> Anatomy:
    """Count what takes room in the int8 .tflite of a graph under a plan."""
    operations = lower(selection).operations
    kernels = [kernel for op in operations for kernel in op.step.multiplications]
    return Anatomy(
        payload_bytes=sum(_kernel_bytes(selection, kernel.variable) for kernel in kernels),
        operations=len(operations),
        kernels=len(kernels),
        letters=sum(
            _letters(selection, op) * (1 + 2 * len(op.step.multiplications)) for op in operations
        ),
    )


def _kernel_bytes(selection: Selection, variable: keras.Variable) -> int:
    shape = selection.weight_shape(variable)
    bindings = selection.graph.bindings_of(variable)
    # A kernel that makes no channels of its own (depthwise) has scales for those that it holds.
    axes = [axis for axis, binding in bindings.items() if binding.creates] or list(bindings)[:1]
    return prod(shape) + _PER_CHANNEL * (shape[axes[-1]] if axes else 0)


def _letters(selection: Selection, operation: Operation) -> int:
    # Each name is led by the model's, and the number of the call and two slashes are added.
    model = len(selection.graph.model.name) + 4
    return sum(model + len(step.path) for step in (operation.step, *operation.absorbed))
