"""Convolutions: the layers that make channels out of channels."""

from math import prod
from typing import Any

import keras
import numpy as np

from tfelastic.graph.rulebook import rule
from tfelastic.graph.rules.elementwise import activate
from tfelastic.graph.site import NoRule, Site, Tensor

layers = keras.layers


@rule(layers.Conv1D, layers.Conv2D, layers.Conv3D)
def convolution(site: Site) -> np.ndarray:
    """Kernel `[*window, inputs / groups, filters]`; with groups, whole groups live or die."""
    layer, x = site.layer, site.inputs[0]
    axis = channel_axis(layer, x)
    kernel = multiplied(site, "kernel", positions(site.outputs[0].shape, axis))
    inputs = site.channels_of(x, axis)
    outputs = site.creates(kernel, -1)
    if layer.groups == 1:
        site.bind(kernel, -2, inputs)
    else:
        units_in, units_out = inputs.reshape(layer.groups, -1), outputs.reshape(layer.groups, -1)
        site.tie(units_in, units_in[:, :1])
        site.tie(units_out, units_in[:, :1])
        site.resizes("groups", units_in[:, 0])
    site.resizes("filters", outputs)
    site.mixes()
    return _finish(site, outputs, axis)


@rule(layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
def transposed_convolution(site: Site) -> np.ndarray:
    """Kernel `[*window, filters, inputs]`; every input pixel meets the whole window."""
    layer, x = site.layer, site.inputs[0]
    axis = channel_axis(layer, x)
    kernel = multiplied(site, "kernel", positions(x.shape, axis))
    site.bind(kernel, -1, site.channels_of(x, axis))
    outputs = site.creates(kernel, -2)
    site.resizes("filters", outputs)
    site.mixes()
    return _finish(site, outputs, axis)


@rule(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
def depthwise_convolution(site: Site) -> np.ndarray:
    """Kernel `[*window, inputs, multiplier]`; output channel `i * multiplier + j` belongs to input channel `i`."""
    layer, x = site.layer, site.inputs[0]
    axis = channel_axis(layer, x)
    kernel = multiplied(site, "kernel", positions(site.outputs[0].shape, axis))
    inputs = site.bind(kernel, -2, site.channels_of(x, axis))
    return _finish(site, np.repeat(inputs, layer.depth_multiplier), axis)


@rule(layers.SeparableConv1D, layers.SeparableConv2D)
def separable_convolution(site: Site) -> np.ndarray:
    """A depthwise convolution and a pointwise one, `[1, ..., inputs * multiplier, filters]`."""
    layer, x = site.layer, site.inputs[0]
    axis = channel_axis(layer, x)
    times = positions(site.outputs[0].shape, axis)
    depthwise = multiplied(site, "depthwise_kernel", times)
    pointwise = multiplied(site, "pointwise_kernel", times)
    inputs = site.bind(depthwise, -2, site.channels_of(x, axis))
    site.bind(pointwise, -2, np.repeat(inputs, layer.depth_multiplier))
    outputs = site.creates(pointwise, -1)
    site.resizes("filters", outputs)
    site.mixes()
    return _finish(site, outputs, axis)


def multiplied(site: Site, name: str, times: int | None) -> keras.Variable:
    """Return the weight `name` of the layer, each of whose elements is multiplied `times` times.

    It is counted before anything can go wrong: a layer that is left whole multiplies all the same.

    Raises:
        NoRule: What the layer multiplies is computed from the weight (LoRA, quantization).
    """
    variable = next(weight for weight in site.layer.weights if weight.name == name)
    site.multiplies(variable, times)
    if getattr(site.layer, name) is not variable or getattr(site.layer, "quantization_mode", None):
        raise NoRule(f"its {name} is quantized or has a LoRA adapter")
    return variable


def channel_axis(layer: Any, x: Tensor) -> int:
    """Return the axis of the channels that the layer's data format names."""
    return 1 if layer.data_format == "channels_first" else len(x.shape) - 1


def positions(shape: tuple[int | None, ...], channel: int) -> int | None:
    """Return how many positions an image has; `None` where a length is unknown."""
    lengths = [length for axis, length in enumerate(shape) if axis not in (0, channel)]
    return None if None in lengths else prod(length or 0 for length in lengths)


def _finish(site: Site, outputs: np.ndarray, axis: int) -> np.ndarray:
    """The bias and activation that end every convolution."""
    if site.layer.use_bias:
        site.bind(site.layer.bias, 0, outputs, role="shift")
    return activate(site, site.along(outputs, axis), site.layer.activation)
