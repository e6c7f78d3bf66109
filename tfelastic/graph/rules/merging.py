"""Layers and operations that bring several tensors together."""

import keras
import numpy as np

from tfelastic.graph.channels import FIXED
from tfelastic.graph.layer_call import LayerCall, NoRule, Tensor
from tfelastic.graph.rule_registry import operations, rule
from tfelastic.graph.rules.elementwise import constants

layers = keras.layers


@rule(
    layers.Add,
    layers.Subtract,
    layers.Multiply,
    layers.Average,
    layers.Maximum,
    layers.Minimum,
    "keras.inception_resnet_v2.CustomScaleLayer",
)
def merge(call: LayerCall) -> np.ndarray:
    """Value by value; a tensor of lower rank is repeated over the missing inner axes."""
    return _combine(
        call, [_raise_rank(tensor, len(call.outputs[0].shape)) for tensor in call.inputs]
    )


@rule(
    *operations(
        "numpy",
        "Add Divide DivideNoNan Equal Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr "
        "Maximum Minimum Multiply NotEqual Power Subtract TrueDivide Where",
    )
)
def arithmetic(call: LayerCall) -> np.ndarray:
    """Operators such as `x + y` and `x * 0.5`; a constant array may hold a value per channel, so it is refused."""
    constants(call)
    if len({len(tensor.shape) for tensor in call.inputs}) > 1:
        raise NoRule(
            "it broadcasts tensors of different ranks, which lines their batch up with other axes"
        )
    return _combine(call, [(tensor.labels, tensor.shape[1:]) for tensor in call.inputs])


@rule(layers.Concatenate, "keras.numpy.Concatenate")
def concatenate(call: LayerCall) -> np.ndarray:
    """Channels side by side, at their offsets."""
    axis = call.layer.axis % len(call.outputs[0].shape) - 1
    if axis < 0:
        raise NoRule("it concatenates along the batch")
    parts = []
    for tensor in call.inputs:
        length = tensor.shape[axis + 1]
        if length is None:
            raise NoRule(f"the length of axis {axis + 1} of its input is unknown")
        parts.append(
            tensor.labels
            if tensor.labels.shape[axis] == length
            else _repeat(tensor.labels, axis, length)
        )
    common = [max(part.shape[i] for part in parts) for i in range(parts[0].ndim)]
    return np.concatenate(
        [np.broadcast_to(p, [*common[:axis], p.shape[axis], *common[axis + 1 :]]) for p in parts],
        axis=axis,
    )


@rule("keras.numpy.Stack")
def stack(call: LayerCall) -> np.ndarray:
    """Side by side along a new axis: position by position the operands are kept or dropped together."""
    axis = call.layer.axis % len(call.outputs[0].shape) - 1
    if axis < 0:
        raise NoRule("it stacks along the batch")
    merged = _combine(call, [(tensor.labels, tensor.shape[1:]) for tensor in call.inputs])
    return np.expand_dims(merged, axis)


def _repeat(labels: np.ndarray, axis: int, length: int) -> np.ndarray:
    return np.repeat(labels, length, axis=axis)


def _raise_rank(tensor: Tensor, rank: int) -> tuple[np.ndarray, tuple[int | None, ...]]:
    missing = (1,) * (rank - len(tensor.shape))
    return tensor.labels.reshape(missing + tensor.labels.shape), missing + tensor.shape[1:]


def _combine(
    call: LayerCall, operands: list[tuple[np.ndarray, tuple[int | None, ...]]]
) -> np.ndarray:
    """Tie the operands position by position.

    An operand of length 1 along the channel axis (a spatial mask) meets every channel: it is tied to none of
    them, but frozen.
    """
    full = np.broadcast_shapes(*(labels.shape for labels, _ in operands))
    axis = next((i for i, length in enumerate(full) if length > 1), None)
    merged: np.ndarray | None = None
    for labels, shape in operands:
        if axis is not None and shape[axis] == 1:
            call.freeze(labels, "repeats it over all channels of another tensor")
        elif merged is None:
            merged = labels
        else:
            call.tie(merged, labels)
            merged = np.broadcast_to(np.where(merged == FIXED, labels, merged), full)
    assert merged is not None
    return merged
