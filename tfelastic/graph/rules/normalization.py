"""Normalizations: those over the channel axis freeze it, those over the batch go along."""

import keras
import numpy as np

from tfelastic.graph.layer_call import LayerCall, Tensor
from tfelastic.graph.rule_registry import rule

layers = keras.layers


@rule(layers.BatchNormalization)
def batch_normalization(call: LayerCall) -> np.ndarray:
    """Scale, shift and running statistics per channel."""
    layer, x = call.layer, call.inputs[0]
    labels = call.channels_of(x, layer.axis)
    if layer.scale:
        call.bind(layer.gamma, 0, labels, role="scale")
    if layer.center:
        call.bind(layer.beta, 0, labels, role="shift")
    call.bind(layer.moving_mean, 0, labels, role="statistic")
    call.bind(layer.moving_variance, 0, labels, role="statistic")
    return x.labels


@rule(layers.GroupNormalization)
def group_normalization(call: LayerCall) -> np.ndarray:
    """Statistics over a group of channels: groups are kept or dropped as units."""
    layer, x = call.layer, call.inputs[0]
    labels = call.channels_of(x, layer.axis)
    count = len(labels) if layer.groups == -1 else layer.groups
    units = labels.reshape(count, -1)
    call.tie(units, units[:, :1])
    call.resizes("groups", units[:, 0])
    if layer.scale:
        call.bind(layer.gamma, 0, labels, role="scale")
    if layer.center:
        call.bind(layer.beta, 0, labels, role="shift")
    return x.labels


@rule(layers.LayerNormalization, layers.UnitNormalization, layers.RMSNormalization)
def channel_normalization(call: LayerCall) -> np.ndarray:
    """Statistics over axes of one sample; over the channel axis they change when a channel goes."""
    x = call.inputs[0]
    if _covers_channels(x, call.layer.axis):
        call.freeze(x.labels, "normalises over them")
    return x.labels


@rule(layers.Normalization)
def normalization(call: LayerCall) -> np.ndarray:
    """Constant mean and variance per channel, part of a model's preprocessing."""
    x = call.inputs[0]
    call.freeze(x.labels, "has a constant mean and variance per channel")
    return x.labels


def _covers_channels(x: Tensor, axes: int | tuple[int, ...]) -> bool:
    normalised = np.atleast_1d(axes) % len(x.shape)
    return x.labels.size == 1 or any(
        axis == 0 or x.labels.shape[axis - 1] > 1 for axis in normalised
    )
