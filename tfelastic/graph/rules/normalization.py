"""Normalizations: those over the channel axis freeze it, those over the batch go along."""

import keras
import numpy as np

from tfelastic.graph.rulebook import rule
from tfelastic.graph.site import Site, Tensor

layers = keras.layers


@rule(layers.BatchNormalization)
def batch_normalization(site: Site) -> np.ndarray:
    """Scale, shift and running statistics per channel."""
    layer, x = site.layer, site.inputs[0]
    labels = site.channels_of(x, layer.axis)
    if layer.scale:
        site.bind(layer.gamma, 0, labels, role="scale")
    if layer.center:
        site.bind(layer.beta, 0, labels, role="shift")
    site.bind(layer.moving_mean, 0, labels, role="statistic")
    site.bind(layer.moving_variance, 0, labels, role="statistic")
    return x.labels


@rule(layers.GroupNormalization)
def group_normalization(site: Site) -> np.ndarray:
    """Statistics over a group of channels: whole groups live or die."""
    layer, x = site.layer, site.inputs[0]
    labels = site.channels_of(x, layer.axis)
    count = len(labels) if layer.groups == -1 else layer.groups
    units = labels.reshape(count, -1)
    site.tie(units, units[:, :1])
    site.resizes("groups", units[:, 0])
    if layer.scale:
        site.bind(layer.gamma, 0, labels, role="scale")
    if layer.center:
        site.bind(layer.beta, 0, labels, role="shift")
    return x.labels


@rule(layers.LayerNormalization, layers.UnitNormalization, layers.RMSNormalization)
def channel_normalization(site: Site) -> np.ndarray:
    """Statistics over axes of one sample; over the channel axis they change when a channel goes."""
    x = site.inputs[0]
    if _covers_channels(x, site.layer.axis):
        site.freeze(x.labels, "normalises over them")
    return x.labels


@rule(layers.Normalization)
def normalization(site: Site) -> np.ndarray:
    """Constant mean and variance per channel, part of a model's preprocessing."""
    x = site.inputs[0]
    site.freeze(x.labels, "has a constant mean and variance per channel")
    return x.labels


def _covers_channels(x: Tensor, axes: int | tuple[int, ...]) -> bool:
    normalised = np.atleast_1d(axes) % len(x.shape)
    return x.labels.size == 1 or any(
        axis == 0 or x.labels.shape[axis - 1] > 1 for axis in normalised
    )
