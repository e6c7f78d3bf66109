"""What the laws are judged by, written without surgery: the original layers, run call by call."""

import inspect
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import keras
import numpy as np
from keras import ops

import tfelastic as te
from tfelastic.graph import Step

# Law 2 in float64: how far a pruned net may be from the oracle, relative to the output's norm.
TOLERANCE = 1e-9


def interpret(graph: te.LayerGraph, inputs: Sequence[Any], apply: Any) -> list[np.ndarray]:
    """Run the traced model on arrays, each step carried out by `apply`; return its outputs, flattened."""
    outputs = keras.tree.flatten(graph.run([ops.convert_to_tensor(x) for x in inputs], apply))
    return [ops.convert_to_numpy(output) for output in outputs]


def masked(
    graph: te.LayerGraph, plan: te.KeepPlan, inputs: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Return the original's outputs with dropped channels at zero wherever channels are summed.

    A removed block's addition returns its shortcut.
    """
    shortcuts = {block.name: block.shortcut for block in graph.blocks if block.name in plan.removed}

    def apply(step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if step.path in shortcuts:
            return [leaf for leaf in keras.tree.flatten((args, kwargs)) if is_array(leaf)][
                shortcuts[step.path]
            ]
        position = iter(range(len(step.inputs)))

        def mask(leaf: Any) -> Any:
            if not ops.is_tensor(leaf):  # A constant may be an array, but is no input.
                return leaf
            number = next(position)
            if number not in step.reduced_inputs:
                return leaf
            return leaf * ops.cast(kept(graph, plan, step.inputs[number].labels), leaf.dtype)

        args, kwargs = keras.tree.map_structure(mask, (args, kwargs))
        return call_at_inference(step.op, args, kwargs)

    return interpret(graph, inputs, apply)


def call_at_inference(op: keras.Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a layer with `training=False` where it takes that: the augmentation layers augment by default."""
    if isinstance(op, keras.Layer) and "training" in inspect.signature(op.call).parameters:
        kwargs = {**kwargs, "training": False}
    return op(*args, **kwargs)


def kept(graph: te.LayerGraph, plan: te.KeepPlan, labels: np.ndarray) -> np.ndarray:
    """Return 1 where the plan keeps a channel and 0 where it drops it, in the shape of `labels`."""
    group, unit = graph.unit_of[labels.reshape(-1)].T
    alive = [
        g < 0 or graph.groups[g].name not in plan.keep or u in plan.keep[graph.groups[g].name]
        for g, u in zip(group.tolist(), unit.tolist(), strict=True)
    ]
    return np.array(alive, dtype="float64").reshape(labels.shape)


def counted_macs(model: keras.Model) -> int:
    """Return a model's multiply-accumulate operations, from the kernels and images that one run really meets."""
    total = 0

    def apply(step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        nonlocal total
        result = call_at_inference(step.op, args, kwargs)
        name = type(step.op).__name__
        axis = len(result.shape) - 1 if ops.is_tensor(result) else None
        if name.endswith("Transpose") and "Conv" in name:
            total += prod(step.op.kernel.shape) * prod(args[0].shape[1:axis])
        elif name.startswith("SeparableConv"):
            kernels = prod(step.op.depthwise_kernel.shape) + prod(step.op.pointwise_kernel.shape)
            total += kernels * prod(result.shape[1:axis])
        elif isinstance(step.op, keras.Layer) and (name == "Dense" or "Conv" in name):
            total += prod(step.op.kernel.shape) * prod(result.shape[1:axis])
        return result

    zeros = [np.zeros((1, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
    interpret(te.trace(model), zeros, apply)
    return total


def wrong_plans(graph: te.LayerGraph, plan: te.KeepPlan) -> Iterator[te.KeepPlan]:
    """Yield, for each group that `plan` cuts, the plan with one kept channel exchanged for a dropped one."""
    for name, units in plan.keep.items():
        dropped = sorted(set(range(graph.group(name).size)) - set(units))
        if dropped:
            keep = {**plan.keep, name: (dropped[0], *units[1:])}
            yield te.KeepPlan(plan.model, keep, plan.removed)


def difference(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    """Return how far two lists of outputs are apart, relative to the norm of the first."""
    assert [x.shape for x in one] == [x.shape for x in other]
    norm = sum(np.sum(np.square(x, dtype=np.float64)) for x in one)
    apart = sum(
        np.sum(np.square(np.subtract(x, y, dtype=np.float64)))
        for x, y in zip(one, other, strict=True)
    )
    return float(np.sqrt(apart / max(norm, 1e-30)))


def is_array(leaf: Any) -> bool:
    return ops.is_tensor(leaf) or isinstance(leaf, np.ndarray)
