"""What TFLM keeps in its arena while a file runs: how many bytes, from which operation to which.

TFLM counts moments: the inputs arrive at moment 0, and operation i runs at moment i + 1. A tensor is kept from the
operation that writes it to the last one that reads it, an output to the end, a scratch buffer for its operation alone.
Sizes are rounded up to 16 bytes. Source: tflite-micro, `micro_allocation_info.cc`.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tflite_export.arena.in_place import Preference, overlays
from tflite_export.tflite import Graph, GraphOperator

ALIGNMENT = 16


@dataclass(frozen=True)
class Allocation:
    """Bytes of the arena that are needed from one moment to another.

    Attributes:
        bytes: How many, a multiple of 16.
        first: The first moment.
        last: The last moment.
        tensors: The numbers of the tensors that lie in it, one after the other; none in a scratch buffer.
    """

    bytes: int
    first: int
    last: int
    tensors: tuple[int, ...] = ()

    @property
    def scratch(self) -> bool:
        """Whether it is a scratch buffer, which TFLM places by itself."""
        return not self.tensors

    def meets(self, other: "Allocation") -> bool:
        """Return whether both are needed at some moment."""
        return self.first <= other.last and other.first <= self.last


Scratch = Callable[[Graph, GraphOperator], Sequence[int]]
"""Returns the bytes of each scratch buffer that an operation asks for."""


def allocations(
    graph: Graph, *, scratch: Scratch | None = None, in_place: Preference | None = None
) -> tuple[Allocation, ...]:
    """Return what TFLM keeps in its arena for a graph: tensors in the file's order, then scratch buffers.

    Args:
        graph: The file's graph.
        scratch: What the kernels ask for beside tensors; nothing unless given.
        in_place: Which of several inputs an operation overwrites where it can write in place; no operation does
            unless given.
    """
    lives = lifetimes(graph)
    found = {
        number: Allocation(aligned(graph.tensors[number].bytes), *life, (number,))
        for number, life in lives.items()
    }
    if in_place is not None:
        _join(found, overlays(graph, lives, prefer=in_place))
    asked = [
        Allocation(aligned(size), moment, moment)
        for moment, operator in enumerate(graph.operators, start=1)
        for size in (scratch(graph, operator) if scratch else ())
    ]
    return (*dict.fromkeys(found.values()), *asked)


def lifetimes(graph: Graph) -> dict[int, tuple[int, int]]:
    """Return the first and the last moment of each tensor that TFLM keeps in the arena, by the tensor's number."""
    moments: dict[int, list[int]] = defaultdict(list)
    for tensor in graph.inputs:
        moments[tensor].append(0)
    for moment, operator in enumerate(graph.operators, start=1):
        for tensor in (*operator.inputs, *operator.outputs):
            moments[tensor].append(moment)
    for tensor in graph.outputs:
        moments[tensor].append(len(graph.operators))
    # TFLM gives a tensor that nothing reads or writes the moment -1, and memory all the same.
    return {
        number: (min(moments.get(number, [-1])), max(moments.get(number, [-1])))
        for number, tensor in enumerate(graph.tensors)
        if not tensor.constant and not tensor.variable and tensor.bytes
    }


def aligned(size: int) -> int:
    """Return a size as TFLM rounds it up."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def _join(found: dict[int, Allocation], written_over: dict[int, int]) -> None:
    """Let tensors share the allocation of those that they are written over."""
    for tensor, over in written_over.items():
        before, own = found[over], found[tensor]
        tensors = (*before.tensors, *own.tensors)
        joined = replace(
            before,
            first=min(before.first, own.first),
            last=max(before.last, own.last),
            tensors=tensors,
        )
        found.update(dict.fromkeys(tensors, joined))
