"""Peak activation memory: how many bytes of values between a model's operations are needed at one moment."""

import numpy as np

from tfelastic._cost.lowering import Lowered

# Every value starts at a multiple of this many bytes.
_ALIGNMENT = 16

IN_PLACE = frozenset(
    (
        "ADD",
        "ELU",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LOGISTIC",
        "MAXIMUM",
        "MINIMUM",
        "MUL",
        "PRELU",
        "RELU",
        "RELU6",
        "RESHAPE",
        "RSQRT",
        "SQUARED_DIFFERENCE",
        "SUB",
        "TANH",
    )
)
"""The operations that write where they read, if what they read is not needed afterwards."""


def peak_bytes(lowered: Lowered, *, bytes_per_value: int) -> int:
    """Return the most bytes of activations that a model needs at one moment, per sample.

    A value is needed from the operation that makes it to the last one that reads it. The arena of a file for TensorFlow
    Lite for Microcontrollers is planned down to this (`tflite_export.arena`); an interpreter's own layout may take
    more.

    Args:
        lowered: What a device runs.
        bytes_per_value: 1 for int8, 4 for float32.
    """
    sizes = -(-np.array(lowered.sizes, int) * bytes_per_value // _ALIGNMENT) * _ALIGNMENT
    totals = needed(lowered) @ sizes
    for moment, operation in enumerate(lowered.operations):
        if operation.kind == "TRANSPOSE_CONV" and bytes_per_value == 1:
            # It sums into 32-bit numbers, one for each value that it makes.
            scratch = 4 * lowered.sizes[operation.makes[0]]
            totals[moment] += -(-scratch // _ALIGNMENT) * _ALIGNMENT
    return int(totals.max(initial=0))


def needed(lowered: Lowered) -> np.ndarray:
    """Return which values are needed at which moment, bool `[moments, values]`; operation i runs at moment i.

    Where an operation writes in place, the value that it overwrites is left out at that moment.
    """
    births = np.zeros(len(lowered.sizes), int)
    deaths = np.zeros(len(lowered.sizes), int)
    for moment, operation in enumerate(lowered.operations):
        births[list(operation.makes)] = moment
        deaths[[*operation.makes, *operation.reads]] = moment
    deaths[list(lowered.outputs)] = len(lowered.operations)
    moments = np.arange(len(lowered.operations) + 1)[:, None]
    found: np.ndarray = (births <= moments) & (moments <= deaths)
    for moment, operation in enumerate(lowered.operations):
        if operation.kind in IN_PLACE:
            size = lowered.sizes[operation.makes[0]]
            dying = [v for v in operation.reads if deaths[v] == moment and lowered.sizes[v] == size]
            found[moment, dying[:1]] = False
    return found
