"""Layers that work on each channel's image by itself: pooling, padding, cropping, resizing."""

import keras
import numpy as np

from tfelastic.graph.layer_call import LayerCall
from tfelastic.graph.rule_registry import rule
from tfelastic.graph.rules.convolution import channel_axis

layers = keras.layers


@rule(
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.AveragePooling3D,
    layers.AdaptiveAveragePooling1D,
    layers.AdaptiveAveragePooling2D,
    layers.AdaptiveAveragePooling3D,
    layers.AdaptiveMaxPooling1D,
    layers.AdaptiveMaxPooling2D,
    layers.AdaptiveMaxPooling3D,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    layers.ZeroPadding3D,
    layers.Cropping2D,
    layers.Cropping3D,
    layers.UpSampling2D,
    layers.UpSampling3D,
    layers.Resizing,
    layers.CenterCrop,
    "keras.nn.MaxPool",
    "keras.nn.AveragePool",
    "keras.nn.AdaptiveMaxPool",
    "keras.nn.AdaptiveAveragePool",
    "keras.image.Resize",
)
def image_wise(call: LayerCall) -> np.ndarray:
    """Every channel's image is worked on alone."""
    x = call.inputs[0]
    axis = channel_axis(call.layer, x)
    return call.along(call.channels_of(x, axis), axis)


@rule(layers.Cropping1D, layers.UpSampling1D)
def sequence_wise(call: LayerCall) -> np.ndarray:
    """The one-dimensional kin, which always have their channels last."""
    return call.along(call.channels_of(call.inputs[0], -1), -1)


@rule(
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
)
def global_pooling(call: LayerCall) -> np.ndarray:
    """One value per channel."""
    layer, x = call.layer, call.inputs[0]
    axis = channel_axis(layer, x)
    labels = call.channels_of(x, axis)
    return call.along(labels, axis if layer.keepdims else -1)
