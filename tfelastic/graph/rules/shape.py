"""Layers and operations that move values without changing them: numpy does to labels what Keras does to values."""

from typing import Any

import keras
import numpy as np

from tfelastic.graph.channels import FIXED
from tfelastic.graph.layer_call import LayerCall, NoRule
from tfelastic.graph.rule_registry import operations, rule

layers = keras.layers


@rule(layers.Flatten)
def flatten(call: LayerCall) -> np.ndarray:
    """All axes into one, the channel axis last."""
    x = call.inputs[0]
    labels = call.spread(x)
    if call.layer.data_format == "channels_first":
        labels = np.moveaxis(labels, 0, -1)
    return labels.reshape(-1)


@rule(layers.Reshape)
def reshape(call: LayerCall) -> np.ndarray:
    """Another shape for the same values in the same order."""
    return _reshape(call, "target_shape", call.layer.target_shape, offset=0)


@rule("keras.numpy.Reshape")
def reshape_operation(call: LayerCall) -> np.ndarray:
    """`keras.ops.reshape`, whose shape starts with the batch."""
    newshape = tuple(call.layer.newshape)
    if newshape[0] not in (-1, None):
        raise NoRule(f"it reshapes to {newshape}, which moves values between samples")
    return _reshape(call, "newshape", newshape[1:], offset=1)


def _reshape(call: LayerCall, field: str, target: tuple[int, ...], *, offset: int) -> np.ndarray:
    x, shape = call.inputs[0], call.outputs[0].shape[1:]
    if None in shape or None in x.shape[1:]:
        raise NoRule(f"it reshapes {x.shape}, which is not fully known")
    labels = call.collapse_axes(call.spread(x).reshape(shape))  # type: ignore[arg-type]
    for axis, length in enumerate(target):
        if length not in (-1, None) and labels.shape[axis] > 1:
            call.resizes(field, labels.reshape(-1), item=axis + offset)
    return labels


@rule(layers.Permute)
def permute(call: LayerCall) -> np.ndarray:
    """Axes in another order; `dims` counts from 1 and leaves the batch out."""
    return call.inputs[0].labels.transpose([axis - 1 for axis in call.layer.dims])


@rule("keras.numpy.Transpose")
def transpose(call: LayerCall) -> np.ndarray:
    """`keras.ops.transpose`, whose axes include the batch."""
    axes = call.layer.axes
    if not axes or axes[0] != 0:
        raise NoRule("it moves the batch axis")
    return call.inputs[0].labels.transpose([axis - 1 for axis in axes[1:]])


@rule("keras.numpy.Moveaxis", "keras.numpy.Swapaxes")
def move_axes(call: LayerCall) -> np.ndarray:
    """Axes in another order: a dry run on an empty array whose lengths number its axes tells which."""
    x, layer = call.inputs[0], call.layer
    numbered = np.empty(tuple(range(len(x.shape))))
    if hasattr(layer, "source"):
        order = np.moveaxis(numbered, layer.source, layer.destination).shape
    else:
        order = np.swapaxes(numbered, layer.axis1, layer.axis2).shape
    if order[0] != 0:
        raise NoRule("it moves the batch axis")
    return x.labels.transpose([axis - 1 for axis in order[1:]])


@rule("keras.numpy.Flip")
def flip(call: LayerCall) -> np.ndarray:
    """Axes reversed."""
    x, axis = call.inputs[0], call.layer.axis
    axes = [] if axis is None else [int(each) % len(x.shape) for each in np.atleast_1d(axis)]
    if 0 in axes or not axes:
        raise NoRule("it reverses the batch")
    return np.flip(x.labels, tuple(each - 1 for each in axes))


@rule("keras.numpy.Pad")
def pad(call: LayerCall) -> np.ndarray:
    """Padded positions carry the channels on; places padded to the channel axis are no channels."""
    x, layer = call.inputs[0], call.layer
    widths = np.broadcast_to(np.asarray(layer.pad_width), (len(x.shape), 2))
    if widths[0].any():
        raise NoRule("it pads the batch")
    if x.labels.size == 1:
        call.freeze(x.labels, "pads it")
        return x.labels
    wide = np.array(x.labels.shape)[:, np.newaxis] > 1
    channel = np.where(wide, widths[1:], 0)
    if channel.any() and layer.mode != "constant":
        raise NoRule(f"it pads the channels in mode {layer.mode!r}, which repeats some by position")
    return np.pad(x.labels, channel, constant_values=FIXED)


@rule(layers.RepeatVector)
def repeat_vector(call: LayerCall) -> np.ndarray:
    """A new axis of positions, before the channels."""
    return call.inputs[0].labels[np.newaxis]


@rule("keras.numpy.ExpandDims")
def expand_dims(call: LayerCall) -> np.ndarray:
    """A new axis of length 1."""
    rank = len(call.outputs[0].shape)
    axes = [axis % rank - 1 for axis in np.atleast_1d(call.layer.axis)]
    if -1 in axes:
        raise NoRule("it adds an axis before the batch")
    return np.expand_dims(call.inputs[0].labels, axes)


@rule("keras.numpy.Squeeze")
def squeeze(call: LayerCall) -> np.ndarray:
    """Axes of length 1 go."""
    x, axis = call.inputs[0], call.layer.axis
    if axis is None:
        raise NoRule(
            "it squeezes every axis of length 1, which a pruned channel axis may become; name the axis"
        )
    return np.squeeze(x.labels, tuple(int(each) % len(x.shape) - 1 for each in np.atleast_1d(axis)))


@rule(*operations("numpy", "Amax Amin Max Mean Min Prod Std Sum Var"))
def reduce(call: LayerCall) -> np.ndarray:
    """A reduction over positions; one over channels freezes them."""
    x, layer = call.inputs[0], call.layer
    axes = (
        None
        if layer.axis is None
        else [int(axis) % len(x.shape) for axis in np.atleast_1d(layer.axis)]
    )
    if axes is None or 0 in axes:
        raise NoRule("it reduces over the batch")
    if x.labels.size == 1 or any(x.labels.shape[axis - 1] > 1 for axis in axes):
        raise NoRule("it reduces over the channels")
    index: list[Any] = [slice(None)] * x.labels.ndim
    for axis in axes:
        index[axis - 1] = slice(0, 1) if layer.keepdims else 0
    return x.labels[tuple(index)]


@rule("keras.numpy.GetItem")
def get_item(call: LayerCall) -> np.ndarray:
    """Slicing; a slice of the channel axis names positions, so it freezes the channels."""
    x = call.inputs[0]
    index: list[Any] = []
    axis = 0
    for item in _index_by_axis(call, len(x.shape)):
        if item is None:
            index.append(None)
            continue
        if item == slice(None):
            index.append(item)
        elif not isinstance(item, int | slice):
            raise NoRule(f"it is indexed with {item!r}")
        elif x.labels.shape[axis] == 1:
            index.append(0 if isinstance(item, int) else slice(0, 1))
        else:
            call.freeze(x.labels, "slices them by position")
            index.append(item)
        axis += 1
    return x.labels[tuple(index)]


def _index_by_axis(call: LayerCall, rank: int) -> list[Any]:
    """Return the items of an index behind the batch: one for each axis, `None` for each new axis."""
    key = call.args[1] if len(call.args) > 1 else call.kwargs["key"]
    # A loaded model holds a list where the tuple was that Keras saved; Keras takes both alike.
    items = list(key) if isinstance(key, tuple | list) else [key]
    given = [item for item in items if item is not None and item is not Ellipsis]
    missing = [slice(None)] * (rank - len(given))
    if any(item is Ellipsis for item in items):
        place = next(i for i, item in enumerate(items) if item is Ellipsis)
        items[place : place + 1] = missing
    else:
        items += missing
    if items[0] != slice(None):
        raise NoRule("it slices the batch")
    return items[1:]


@rule("keras.numpy.Split")
def split(call: LayerCall) -> list[np.ndarray]:
    """Parts of an axis: equal parts keep equal numbers of channels, given cuts move with the channels."""
    x, cuts = call.inputs[0], call.layer.indices_or_sections
    axis = call.layer.axis % len(x.shape)
    if axis == 0:
        raise NoRule("it splits the batch")
    if x.labels.shape[axis - 1] == 1:
        return [x.labels] * len(call.outputs)
    labels = call.channels_of(x, axis)
    parts = np.split(labels, cuts)
    if isinstance(cuts, int):
        for part in parts[1:]:
            call.tie(parts[0], part)
    else:
        for item, cut in enumerate(cuts):
            call.resizes("indices_or_sections", labels[:cut], item=item)
    return [call.along(part, axis, output=position) for position, part in enumerate(parts)]
