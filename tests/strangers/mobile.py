"""Networks made for phones: cheap convolutions, gates, and channels that are dealt out anew."""

from typing import Any

import keras
from keras import layers, ops

from tests.strangers.architecture import (
    architecture,
    classifier,
    conv_norm,
    depthwise_norm,
    squeeze_excite,
)


def ghost_module(x: Any, filters: int, *, activation: str | None = "relu") -> Any:
    """Make half of the channels by a convolution, the other half from those by a depthwise one."""
    primary = conv_norm(x, filters // 2, 1, activation=activation)
    ghosts = depthwise_norm(primary, activation=activation)
    return layers.Concatenate()([primary, ghosts])


def ghost_bottleneck(x: Any, expanded: int, filters: int, *, strides: int = 1) -> Any:
    y = ghost_module(x, expanded)
    if strides > 1:
        y = depthwise_norm(y, strides=strides, activation=None)
        y = squeeze_excite(y, gate="hard_sigmoid")
        x = depthwise_norm(x, strides=strides, activation=None)
        x = conv_norm(x, filters, 1, activation=None)
    return layers.Add()([x, ghost_module(y, filters, activation=None)])


@architecture("GhostNet", "Han et al., CVPR 2020, arXiv:1911.11907")
def ghostnet() -> keras.Model:
    inputs = keras.Input((24, 24, 3))
    x = conv_norm(inputs, 16, strides=2)
    x = ghost_bottleneck(x, 16, 16)
    x = ghost_bottleneck(x, 48, 24, strides=2)
    x = ghost_bottleneck(x, 64, 24)
    return classifier(inputs, conv_norm(x, 64, 1))


def shuffle(x: Any, groups: int = 2) -> Any:
    """Deal the channels of `groups` halves out in turn."""
    height, width, channels = x.shape[1:]
    x = layers.Reshape((height, width, groups, channels // groups))(x)
    return layers.Reshape((height, width, channels))(layers.Permute((1, 2, 4, 3))(x))


def shuffle_branch(x: Any, filters: int, *, strides: int = 1) -> Any:
    x = depthwise_norm(conv_norm(x, filters, 1), strides=strides, activation=None)
    return conv_norm(x, filters, 1)


@architecture("ShuffleNetV2", "Ma et al., ECCV 2018, arXiv:1807.11164")
def shufflenet_v2() -> keras.Model:
    inputs = keras.Input((24, 24, 3))
    x = conv_norm(inputs, 16, strides=2)
    for filters in (32, 48):
        half = filters // 2
        left = conv_norm(depthwise_norm(x, strides=2, activation=None), half, 1)
        x = shuffle(layers.Concatenate()([left, shuffle_branch(x, half, strides=2)]))
        left, right = ops.split(x, 2, axis=-1)
        x = shuffle(layers.Concatenate()([left, shuffle_branch(right, half)]))
    return classifier(inputs, conv_norm(x, 64, 1))


def inverted_residual(
    x: Any, expanded: int, filters: int, *, size: int, strides: int, gated: bool
) -> Any:
    y = conv_norm(x, expanded, 1, activation="hard_silu")
    y = depthwise_norm(y, size, strides=strides, activation="hard_silu")
    y = squeeze_excite(y, gate="hard_sigmoid") if gated else y
    y = conv_norm(y, filters, 1, activation=None)
    return layers.Add()([x, y]) if x.shape == y.shape else y


@architecture("MobileNetV3", "Howard et al., ICCV 2019, arXiv:1905.02244", seed=2)
def mobilenet_v3() -> keras.Model:
    inputs = keras.Input((24, 24, 3))
    x = conv_norm(inputs, 16, strides=2, activation="hard_silu")
    x = inverted_residual(x, 32, 16, size=3, strides=1, gated=True)
    x = inverted_residual(x, 64, 24, size=5, strides=2, gated=False)
    x = inverted_residual(x, 72, 24, size=5, strides=1, gated=True)
    x = layers.GlobalAveragePooling2D(keepdims=True)(conv_norm(x, 96, 1, activation="hard_silu"))
    x = layers.Conv2D(64, 1, activation="hard_silu")(x)
    x = layers.Flatten()(layers.Conv2D(10, 1)(x))
    return keras.Model(inputs, x)


def fire_module(x: Any, squeezed: int, expanded: int) -> Any:
    x = layers.Conv2D(squeezed, 1, activation="relu")(x)
    sides = [layers.Conv2D(expanded, size, padding="same", activation="relu")(x) for size in (1, 3)]
    return layers.Concatenate()(sides)


@architecture("SqueezeNet", "Iandola et al., 2016, arXiv:1602.07360")
def squeezenet() -> keras.Model:
    inputs = keras.Input((24, 24, 3))
    x = layers.Conv2D(32, 3, strides=2, activation="relu")(inputs)
    x = fire_module(layers.MaxPooling2D(2)(x), 16, 32)
    x = layers.Add()([x, fire_module(x, 16, 32)])
    x = layers.Conv2D(10, 1, activation="relu")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))
