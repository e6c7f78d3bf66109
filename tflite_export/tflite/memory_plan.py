"""The memory plan of a .tflite: where in its arena TFLM is to put each tensor.

TFLM reads it from the metadata `OfflineMemoryAllocation`, an array of int32: the format's version, the number of the
subgraph, the number of tensors, and one offset per tensor, in bytes from the arena's start. A tensor whose offset is
-1 is placed by TFLM itself. Source: tflite-micro, `docs/memory_management.md` and `micro_allocation_info.cc`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_export.errors import ConversionError
from tflite_export.tflite.schema import generated, pack, read_tree

PLAN_NAME = "OfflineMemoryAllocation"
UNPLANNED = -1
"""The offset of a tensor that TFLM places by itself, or of a constant."""
_VERSION, _SUBGRAPH = 1, 0


def read_memory_plan(tflite: bytes) -> tuple[int, ...] | None:
    """Return the offset of each tensor as a file's memory plan states it; None where it has no plan."""
    tree = read_tree(tflite)
    entry = plan_entry(tree)
    if entry is None:
        return None
    values = np.asarray(tree.buffers[entry.buffer].data, np.uint8).view("<i4")
    return tuple(map(int, values[3:]))


def with_memory_plan(tflite: bytes, offsets: Sequence[int] | None) -> bytes:
    """Return a file with a memory plan, in place of the one that it may have.

    Args:
        tflite: The file's bytes.
        offsets: Bytes from the arena's start for each tensor; -1 where TFLM is to decide. None removes the plan.

    Raises:
        ConversionError: There is not one offset per tensor.
    """
    tree = read_tree(tflite)
    tensors = sum(len(graph.tensors) for graph in tree.subgraphs)
    if offsets is not None and len(offsets) != tensors:
        raise ConversionError(
            f"a memory plan has one offset per tensor: the file has {tensors}, received {len(offsets)}"
        )
    if (entry := plan_entry(tree)) is not None:
        tree.metadata.remove(entry)
        _drop_buffer(tree, entry.buffer)
    if offsets is not None:
        _add(tree, np.array([_VERSION, _SUBGRAPH, tensors, *offsets], "<i4"))
    return pack(tree)


def plan_entry(tree: Any) -> Any:
    """Return the entry of a file's metadata that is its memory plan; None where it has none."""
    found = [
        entry for entry in tree.metadata or () if entry.name in (PLAN_NAME, PLAN_NAME.encode())
    ]
    return found[0] if found else None


def _add(tree: Any, values: np.ndarray) -> None:
    schema = generated()
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = values.view(np.uint8)
    entry.name, entry.buffer = PLAN_NAME, len(tree.buffers)
    tree.buffers = [*tree.buffers, buffer]
    tree.metadata = [*(tree.metadata or ()), entry]


def _drop_buffer(tree: Any, number: int) -> None:
    """Remove a buffer, and number those behind it anew."""
    tree.buffers = [each for index, each in enumerate(tree.buffers) if index != number]
    readers = [tensor for graph in tree.subgraphs for tensor in graph.tensors]
    for reader in (*readers, *(tree.metadata or ())):
        reader.buffer -= reader.buffer > number
