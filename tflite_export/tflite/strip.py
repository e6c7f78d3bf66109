"""The same network without what no device reads: names, metadata, entry points, calibrated ranges.

Of the metadata the memory plan stays, which TFLM obeys.
"""

from typing import Any

from tflite_export.tflite.memory_plan import plan_entry
from tflite_export.tflite.schema import pack, read_tree


def strip(tflite: bytes) -> bytes:
    """Return the same network without names, entry points and metadata, but for a memory plan.

    What runs it finds its inputs and its outputs by their places.
    """
    tree = without_names(tflite)
    # The first buffer of a file is empty by definition.
    kept = {0: 0}
    for graph in tree.subgraphs:
        for tensor in graph.tensors:
            if tensor.quantization is not None:
                tensor.quantization.min = tensor.quantization.max = None
            tensor.buffer = kept.setdefault(tensor.buffer, len(kept))
    for entry in tree.metadata or ():
        entry.buffer = kept.setdefault(entry.buffer, len(kept))
    tree.buffers = [tree.buffers[old] for old in kept]
    return pack(tree)


def without_names(tflite: bytes) -> Any:
    """Return a file's tree without names, signatures and metadata, but for a memory plan."""
    tree = read_tree(tflite)
    tree.description = tree.metadataBuffer = tree.signatureDefs = None
    entry = plan_entry(tree)
    tree.metadata = [entry] if entry else None
    for graph in tree.subgraphs:
        graph.name = None
        for tensor in graph.tensors:
            tensor.name = None
    return tree
