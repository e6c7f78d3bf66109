"""What the laws are judged by, written without surgery: the original layers, run call by call."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import keras
import numpy as np
from keras import layers, ops

import tfelastic as te
from tfelastic.graph import Step

# Law 2 in float64: how far a pruned net may be from the oracle, relative to the output's norm.
TOLERANCE = 1e-9
RECURRENT = (layers.SimpleRNN, layers.GRU, layers.LSTM)


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
        with masked_within(graph, plan, step.op):
            return call_at_inference(step.op, args, kwargs)

    return interpret(graph, inputs, apply)


def summed_within(op: keras.Operation) -> list[tuple[keras.Variable, int]]:
    """Return the kernel axes along which a layer sums channels that none of the graph's tensors holds."""
    if isinstance(op, layers.TimeDistributed):
        return summed_within(op.layer)
    if isinstance(op, layers.Bidirectional):
        return summed_within(op.forward_layer) + summed_within(op.backward_layer)
    if isinstance(op, RECURRENT):
        return [(op.cell.recurrent_kernel, 0)]
    if isinstance(op, layers.MultiHeadAttention):
        return [(op.output_dense.kernel, 0), (op.output_dense.kernel, 1)]
    return []


@contextmanager
def masked_within(graph: te.LayerGraph, plan: te.KeepPlan, op: keras.Operation) -> Iterator[None]:
    """Set channels that the plan drops to zero where a layer sums over them by itself."""
    before = {id(kernel): (kernel, ops.convert_to_numpy(kernel)) for kernel, _ in summed_within(op)}
    for kernel, axis in summed_within(op):
        bindings = graph.bindings_of(kernel)
        if axis in bindings:
            alive = kept(graph, plan, bindings[axis].labels)
            shape = [-1 if each == axis else 1 for each in range(len(kernel.shape))]
            kernel.assign(kernel * ops.cast(alive.reshape(shape), kernel.dtype))
    try:
        yield
    finally:
        for kernel, value in before.values():
            kernel.assign(value)


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
        total += macs_within(step.op, args, kwargs)
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


def macs_within(op: keras.Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Return the multiply-accumulate operations of the kernels of a layer that calls others, step by step."""
    if isinstance(op, layers.Bidirectional):
        return macs_within(op.forward_layer, args, {}) + macs_within(op.backward_layer, args, {})
    if type(op) in RECURRENT:
        return args[0].shape[1] * (
            prod(op.cell.kernel.shape) + prod(op.cell.recurrent_kernel.shape)
        )
    if type(op) is layers.MultiHeadAttention:
        query, value = args[0], args[1]
        key = args[2] if len(args) > 2 else value
        parts = [op.query_dense, op.output_dense, *([op._gate_dense] if op._use_gate else [])]
        pairs = [(op.key_dense, key), (op.value_dense, value), *((part, query) for part in parts)]
        return sum(prod(dense.kernel.shape) * prod(each.shape[1:-1]) for dense, each in pairs)
    if isinstance(op, layers.TimeDistributed):
        moment, inner = args[0][:, 0], op.layer
        if type(inner) in (layers.Dense, layers.Conv1D, layers.DepthwiseConv1D):
            return args[0].shape[1] * prod(inner.kernel.shape) * prod(inner(moment).shape[1:-1])
        return args[0].shape[1] * macs_within(inner, (moment,), {})
    return 0


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
