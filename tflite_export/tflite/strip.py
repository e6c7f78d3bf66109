"""The same network without what no device reads: names, metadata, entry points, calibrated ranges."""

from typing import Any

from tflite_export.tflite.schema import pack, read_tree


def strip(tflite: bytes) -> bytes:
    """Return the same network without names, metadata and entry points.

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
    tree.buffers = [tree.buffers[old] for old in kept]
    return pack(tree)


def without_names(tflite: bytes) -> Any:
    """Return a file's tree without names, metadata and signatures."""
    tree = read_tree(tflite)
    tree.description = tree.metadata = tree.metadataBuffer = tree.signatureDefs = None
    for graph in tree.subgraphs:
        graph.name = None
        for tensor in graph.tensors:
            tensor.name = None
    return tree
