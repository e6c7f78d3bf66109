"""Networks whose outputs are maps: segmentation, detection, super-resolution."""

from typing import Any

import keras
from keras import layers

from tests.strangers.architecture import architecture, conv_norm


def attention_gate(skip: Any, gating: Any, hidden: int) -> Any:
    """Gate a skip connection, place by place, by what the coarser level sees."""
    theta = layers.Conv2D(hidden, 2, strides=2, use_bias=False)(skip)
    phi = layers.Conv2D(hidden, 1)(gating)
    seen = layers.ReLU()(layers.Add()([theta, phi]))
    gate = layers.UpSampling2D(2, interpolation="bilinear")(
        layers.Conv2D(1, 1, activation="sigmoid")(seen)
    )
    return layers.Multiply()([skip, gate])


@architecture("Attention U-Net", "Oktay et al., 2018, arXiv:1804.03999")
def attention_unet() -> keras.Model:
    inputs = keras.Input((16, 16, 3))
    skips, x = [], inputs
    for filters in (16, 24):
        x = conv_norm(conv_norm(x, filters), filters)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = conv_norm(x, 32)
    for skip in reversed(skips):
        filters = skip.shape[-1]
        gated = attention_gate(skip, x, filters // 2)
        x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
        x = conv_norm(layers.Concatenate()([gated, x]), filters)
    return keras.Model(inputs, layers.Conv2D(4, 1, name="masks")(x))


def cross_stage_partial(x: Any, filters: int, *, depth: int = 1) -> Any:
    """Send half of the channels through the residual blocks and the other half past them."""
    half = filters // 2
    through, past = (conv_norm(x, half, 1, activation="silu") for _ in range(2))
    for _ in range(depth):
        y = conv_norm(conv_norm(through, half, 1, activation="silu"), half, activation="silu")
        through = layers.Add()([through, y])
    return conv_norm(layers.Concatenate()([through, past]), filters, 1, activation="silu")


def pyramid_pooling(x: Any, filters: int) -> Any:
    x = conv_norm(x, filters // 2, 1, activation="silu")
    seen = [x]
    for _ in range(3):
        seen.append(layers.MaxPooling2D(5, strides=1, padding="same")(seen[-1]))
    return conv_norm(layers.Concatenate()(seen), filters, 1, activation="silu")


@architecture("CSPNet with two YOLO heads", "Wang et al., CVPRW 2020, arXiv:1911.11929")
def cspnet() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = conv_norm(inputs, 16, strides=2, activation="silu")
    x = cross_stage_partial(conv_norm(x, 24, strides=2, activation="silu"), 24, depth=2)
    fine = x
    x = cross_stage_partial(conv_norm(x, 32, strides=2, activation="silu"), 32)
    coarse = conv_norm(pyramid_pooling(x, 32), 24, 1, activation="silu")
    x = layers.Concatenate()([layers.UpSampling2D(2)(coarse), fine])
    x = cross_stage_partial(x, 24)
    down = conv_norm(x, 24, strides=2, activation="silu")
    y = cross_stage_partial(layers.Concatenate()([down, coarse]), 32)
    heads = {f"stride{32 // z.shape[1]}": layers.Conv2D(3 * 7, 1)(z) for z in (x, y)}
    return keras.Model(inputs, heads)


@architecture("Feature pyramid with shared heads", "Lin et al., CVPR 2017, arXiv:1612.03144")
def feature_pyramid() -> keras.Model:
    """Three levels of a ResNet; classes and boxes come from two heads that all levels share."""
    inputs = keras.Input((32, 32, 3))
    x = conv_norm(inputs, 16, strides=2)
    levels = []
    for filters in (16, 24, 32):
        shortcut = conv_norm(x, filters, 1, strides=2, activation=None)
        x = conv_norm(conv_norm(x, filters, strides=2), filters, activation=None)
        x = layers.ReLU()(layers.Add()([shortcut, x]))
        levels.append(layers.Conv2D(24, 1)(x))
    merged = [levels.pop()]
    while levels:
        merged.append(layers.Add()([levels.pop(), layers.UpSampling2D(2)(merged[-1])]))
    tower = layers.Conv2D(24, 3, padding="same", activation="relu")
    heads = {
        "classes": layers.Conv2D(5, 3, padding="same"),
        "boxes": layers.Conv2D(4, 3, padding="same"),
    }
    outputs = {
        f"{name}{number}": head(tower(level))
        for number, level in enumerate(merged)
        for name, head in heads.items()
    }
    return keras.Model(inputs, outputs)


@architecture("ESPCN", "Shi et al., CVPR 2016, arXiv:1609.05158")
def espcn() -> keras.Model:
    """Super-resolution: the last convolution's channels become the pixels of a larger image."""
    inputs = keras.Input((12, 12, 1))
    x = layers.Conv2D(32, 5, padding="same", activation="tanh")(inputs)
    x = layers.Conv2D(16, 3, padding="same", activation="tanh")(x)
    x = layers.Conv2D(9, 3, padding="same")(x)
    x = layers.Reshape((12, 12, 3, 3))(x)
    x = layers.Reshape((36, 36, 1))(layers.Permute((1, 3, 2, 4))(x))
    return keras.Model(inputs, x)
