"""Orders of removal that take no measurement, for comparison with direct removal."""

import keras
import numpy as np

from tfelastic.graph import Block, LayerGraph, trace


def random_blocks(model: keras.Model | LayerGraph, *, seed: int) -> tuple[str, ...]:
    """Return the names of all blocks in a random order.

    Args:
        model: A functional model, or its graph.
        seed: Fixes the order.
    """
    graph = model if isinstance(model, LayerGraph) else trace(model)
    order = np.random.default_rng(seed).permutation(len(graph.blocks))
    return tuple(graph.blocks[number].name for number in order)


def smallest_blocks(model: keras.Model | LayerGraph) -> tuple[str, ...]:
    """Return the names of all blocks, those with the smallest kernels first.

    A block's size is the Euclidean norm of all of its own kernels together.

    Args:
        model: A functional model, or its graph; fine-tuning changes the order.
    """
    graph = model if isinstance(model, LayerGraph) else trace(model)
    ordered = sorted(graph.blocks, key=lambda block: _norm(graph, block))
    return tuple(block.name for block in ordered)


def _norm(graph: LayerGraph, block: Block) -> float:
    kernels = {
        id(binding.variable): binding.variable
        for facts in graph.facts.values()
        if facts.path in block.layers
        for binding in facts.bindings.values()
        if binding.role == "kernel"
    }
    squares = (np.square(keras.ops.convert_to_numpy(kernel)).sum() for kernel in kernels.values())
    return float(np.sqrt(sum(squares)))
