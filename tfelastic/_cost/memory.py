"""Peak activation memory: how large an arena the values between a model's operations need."""

import numpy as np

from tfelastic._cost.lowering import Lowered, lower
from tfelastic._plan import Selection

# Every value starts at a multiple of this many bytes.
_ALIGNMENT = 16


def peak_bytes(selection: Selection, *, bytes_per_value: int) -> int:
    """Return the size of the arena that holds a model's activations, per sample.

    It is what a TensorFlow Lite interpreter sets aside, found in the way in which TensorFlow Lite for
    Microcontrollers finds it: a value is allocated from the operation that makes it to the last one that reads
    it, nothing is carried out in place, and the values are placed largest first, each into the lowest gap that is
    free for as long as it is allocated. The gaps that this leaves are counted, as the device pays for them too.

    Args:
        selection: The graph and plan to price.
        bytes_per_value: 1 for int8, 4 for float32.
    """
    lowered = lower(selection)
    sizes = -(-np.array(lowered.sizes) * bytes_per_value // _ALIGNMENT) * _ALIGNMENT
    return arena_bytes(sizes, *lifetimes(lowered))


def lifetimes(lowered: Lowered) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last moment of each value's life, `[values]` each; operation i runs at moment i."""
    births = np.zeros(len(lowered.sizes), int)
    deaths = np.zeros(len(lowered.sizes), int)
    for moment, operation in enumerate(lowered.operations):
        births[list(operation.makes)] = moment
        deaths[[*operation.makes, *operation.reads]] = moment
    deaths[list(lowered.outputs)] = len(lowered.operations)
    return births, deaths


def arena_bytes(sizes: np.ndarray, births: np.ndarray, deaths: np.ndarray) -> int:
    """Return the end of the highest of a set of values that are placed largest first.

    Args:
        sizes: Bytes of each value, `[values]`.
        births: The first moment at which each is alive, `[values]`.
        deaths: The last moment, `[values]`.
    """
    # Of equally large ones the last comes first.
    order = np.argsort(sizes, kind="stable")[::-1]
    sizes, births, deaths = sizes[order], births[order], deaths[order]
    starts = np.zeros_like(sizes)
    for number, size in enumerate(sizes):
        placed = slice(0, number)
        beside = (births[placed] <= deaths[number]) & (deaths[placed] >= births[number])
        taken = starts[placed][beside]
        ends = taken + sizes[placed][beside]
        by_start = np.argsort(taken, kind="stable")
        # Where each neighbour starts, and the highest end of those that start before it.
        free_from = np.maximum.accumulate(np.concatenate([[0], ends[by_start]]))
        free_until = np.concatenate([taken[by_start], [np.inf]])
        starts[number] = free_from[np.argmax(free_until - free_from >= size)]
    return int((starts + sizes).max(initial=0))
