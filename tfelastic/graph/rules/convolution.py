"""Convolutions: the layers that make channels out of channels."""

from math import prod
from typing import Any

import keras
import numpy as np

from tfelastic.graph.layer_call import LayerCall, NoRule, Tensor
from tfelastic.graph.rule_registry import rule
from tfelastic.graph.rules.elementwise import activate

layers = keras.layers


@rule(layers.Conv1D, layers.Conv2D, layers.Conv3D)
def convolution(call: LayerCall) -> np.ndarray:
    """Kernel `[*window, inputs / groups, filters]`; groups are kept or dropped as units."""
    layer, x = call.layer, call.inputs[0]
    axis = channel_axis(layer, x)
    kernel = multiplied(call, "kernel", positions(call.outputs[0].shape, axis))
    inputs = call.channels_of(x, axis)
    outputs = call.creates(kernel, -1)
    if layer.groups == 1:
        call.bind(kernel, -2, inputs)
    else:
        units_in, units_out = inputs.reshape(layer.groups, -1), outputs.reshape(layer.groups, -1)
        call.tie(units_in, units_in[:, :1])
        call.tie(units_out, units_in[:, :1])
        call.resizes("groups", units_in[:, 0])
    call.resizes("filters", outputs)
    call.reduces()
    return _finish(call, outputs, axis)


@rule(layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
def transposed_convolution(call: LayerCall) -> np.ndarray:
    """Kernel `[*window, filters, inputs]`; every input pixel meets every position of the window."""
    layer, x = call.layer, call.inputs[0]
    axis = channel_axis(layer, x)
    kernel = multiplied(call, "kernel", positions(x.shape, axis))
    call.bind(kernel, -1, call.channels_of(x, axis))
    outputs = call.creates(kernel, -2)
    call.resizes("filters", outputs)
    call.reduces()
    return _finish(call, outputs, axis)


@rule(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
def depthwise_convolution(call: LayerCall) -> np.ndarray:
    """Kernel `[*window, inputs, multiplier]`; output channel `i * multiplier + j` belongs to input channel `i`."""
    layer, x = call.layer, call.inputs[0]
    axis = channel_axis(layer, x)
    kernel = multiplied(call, "kernel", positions(call.outputs[0].shape, axis))
    inputs = call.bind(kernel, -2, call.channels_of(x, axis))
    return _finish(call, np.repeat(inputs, layer.depth_multiplier), axis)


@rule(layers.SeparableConv1D, layers.SeparableConv2D)
def separable_convolution(call: LayerCall) -> np.ndarray:
    """A depthwise convolution and a pointwise one, `[1, ..., inputs * multiplier, filters]`."""
    layer, x = call.layer, call.inputs[0]
    axis = channel_axis(layer, x)
    times = positions(call.outputs[0].shape, axis)
    depthwise = multiplied(call, "depthwise_kernel", times)
    pointwise = multiplied(call, "pointwise_kernel", times)
    inputs = call.bind(depthwise, -2, call.channels_of(x, axis))
    call.bind(pointwise, -2, np.repeat(inputs, layer.depth_multiplier))
    outputs = call.creates(pointwise, -1)
    call.resizes("filters", outputs)
    call.reduces()
    return _finish(call, outputs, axis)


def multiplied(
    call: LayerCall, name: str, times: int | None, *, layer: Any = None
) -> keras.Variable:
    """Return the weight `name` of the layer, or of a `layer` in it, each of whose elements is multiplied `times` times.

    It is counted before the rule can fail: an opaque layer multiplies all the same.

    Raises:
        NoRule: What the layer multiplies is computed from the weight (LoRA, quantization).
    """
    layer = layer or call.layer
    variable = next(weight for weight in layer.weights if weight.name == name)
    call.multiplies(variable, times)
    if getattr(layer, name) is not variable or getattr(layer, "quantization_mode", None):
        raise NoRule(f"its {name} is quantized or has a LoRA adapter")
    return variable


def channel_axis(layer: Any, x: Tensor) -> int:
    """Return the axis of the channels that the layer's data format names."""
    return 1 if layer.data_format == "channels_first" else len(x.shape) - 1


def positions(shape: tuple[int | None, ...], channel: int) -> int | None:
    """Return how many positions an image has; `None` where a length is unknown."""
    lengths = [length for axis, length in enumerate(shape) if axis not in (0, channel)]
    return None if None in lengths else prod(length or 0 for length in lengths)


def _finish(call: LayerCall, outputs: np.ndarray, axis: int) -> np.ndarray:
    """The bias and activation that end every convolution."""
    if call.layer.use_bias:
        call.bind(call.layer.bias, 0, outputs, role="shift")
    return activate(call, call.along(outputs, axis), call.layer.activation)
