"""Classifiers of many branches: parallel, hierarchical, dense, re-parametrizable, gated."""

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


@architecture("Inception-v3", "Szegedy et al., CVPR 2016, arXiv:1512.00567")
def inception_v3() -> keras.Model:
    """Convolutions factorized into a row and a column, in sequence and side by side."""
    inputs = keras.Input((24, 24, 3))
    x = layers.MaxPooling2D(2)(conv_norm(inputs, 16, strides=2))
    column = conv_norm(conv_norm(conv_norm(x, 16, 1), 16, (1, 7)), 24, (7, 1))
    pooled = conv_norm(layers.AveragePooling2D(3, strides=1, padding="same")(x), 16, 1)
    x = layers.Concatenate()([conv_norm(x, 24, 1), column, pooled])
    y = conv_norm(x, 32, 1)
    sides = [conv_norm(y, 24, (1, 3)), conv_norm(y, 24, (3, 1))]
    x = layers.Concatenate()([conv_norm(x, 32, 1), *sides])
    return classifier(inputs, x)


def preactivated(x: Any, filters: int, size: int) -> Any:
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return layers.Conv2D(filters, size, padding="same", use_bias=False)(x)


@architecture("DenseNet-BC", "Huang et al., CVPR 2017, arXiv:1608.06993")
def densenet() -> keras.Model:
    growth = 16
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(2 * growth, 3, padding="same", use_bias=False)(inputs)
    for block in range(2):
        if block:
            x = layers.AveragePooling2D(2)(preactivated(x, x.shape[-1] // 2, 1))
        for _ in range(3):
            new = preactivated(preactivated(x, 2 * growth, 1), growth, 3)
            x = layers.Concatenate()([x, new])
    return classifier(inputs, layers.ReLU()(layers.BatchNormalization()(x)))


@architecture("ConvNeXt", "Liu et al., CVPR 2022, arXiv:2201.03545")
def convnext() -> keras.Model:
    """Each block scales its branch channel by channel, which a depthwise 1x1 kernel says in Keras' own words."""
    inputs = keras.Input((24, 24, 3))
    x = inputs
    for filters, strides in ((24, 4), (32, 2)):
        x = layers.Conv2D(filters, strides, strides=strides)(x)
        x = layers.LayerNormalization(epsilon=1e-6)(x)
        for _ in range(2):
            y = layers.DepthwiseConv2D(7, padding="same")(x)
            y = layers.LayerNormalization(epsilon=1e-6)(y)
            y = layers.Dense(filters, activation=None)(layers.Dense(4 * filters, "gelu")(y))
            x = layers.Add()([x, layers.DepthwiseConv2D(1, use_bias=False)(y)])
    x = layers.LayerNormalization(epsilon=1e-6)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(10)(x))


@architecture("RepVGG, in training", "Ding et al., CVPR 2021, arXiv:2101.03697")
def repvgg() -> keras.Model:
    inputs = keras.Input((24, 24, 3))
    x = inputs
    for filters, strides in ((16, 2), (16, 1), (32, 2), (32, 1)):
        branches = [
            conv_norm(x, filters, size, strides=strides, activation=None) for size in (3, 1)
        ]
        if x.shape[-1] == filters:
            branches.append(layers.BatchNormalization()(x))
        x = layers.ReLU()(layers.Add()(branches))
    return classifier(inputs, x)


@architecture("ResNeXt", "Xie et al., CVPR 2017, arXiv:1611.05431")
def resnext() -> keras.Model:
    inputs = keras.Input((16, 16, 3))
    x = conv_norm(inputs, 32, strides=2)
    for filters, strides in ((32, 1), (64, 2)):
        y = conv_norm(x, filters, 1)
        y = conv_norm(y, filters, 3, strides=strides, groups=8)
        y = conv_norm(y, filters, 1, activation=None)
        if x.shape != y.shape:
            x = conv_norm(x, filters, 1, strides=strides, activation=None)
        x = layers.ReLU()(layers.Add()([x, y]))
    return classifier(inputs, x)


@architecture("Res2Net", "Gao et al., TPAMI 2021, arXiv:1904.01169")
def res2net() -> keras.Model:
    """Each quarter of a block's channels is convolved together with the result of the quarter before."""
    inputs = keras.Input((16, 16, 3))
    x = conv_norm(inputs, 32, strides=2)
    for _ in range(2):
        first, *others = ops.split(conv_norm(x, 48, 1), 4, axis=-1)
        made = [first, conv_norm(others[0], 12)]
        made += [made[-1]]
        made[2] = conv_norm(layers.Add()([others[1], made[1]]), 12)
        made.append(conv_norm(layers.Add()([others[2], made[2]]), 12))
        y = conv_norm(layers.Concatenate()(made), 32, 1, activation=None)
        x = layers.ReLU()(layers.Add()([x, squeeze_excite(y)]))
    return classifier(inputs, x)


def channel_attention(x: Any) -> Any:
    """Gate channels by their mean and their maximum, both through the same two layers."""
    hidden = layers.Dense(x.shape[-1] // 4, activation="relu")
    gate = layers.Dense(x.shape[-1])
    pooled = (
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.GlobalMaxPooling2D(keepdims=True),
    )
    gates = layers.Add()([gate(hidden(pool(x))) for pool in pooled])
    return layers.Multiply()([x, layers.Activation("sigmoid")(gates)])


def spatial_attention(x: Any) -> Any:
    """Gate places by the mean and the maximum over their channels."""
    means, largest = (reduce(x, axis=-1, keepdims=True) for reduce in (ops.mean, ops.max))
    seen = layers.Concatenate()([means, largest])
    return layers.Multiply()([x, layers.Conv2D(1, 7, padding="same", activation="sigmoid")(seen)])


@architecture("CBAM", "Woo et al., ECCV 2018, arXiv:1807.06521")
def cbam() -> keras.Model:
    inputs = keras.Input((16, 16, 3))
    x = conv_norm(inputs, 32, strides=2)
    for _ in range(2):
        y = conv_norm(conv_norm(x, 32), 32, activation=None)
        y = spatial_attention(channel_attention(y))
        x = layers.ReLU()(layers.Add()([x, y]))
    return classifier(inputs, x)


@architecture("Selective kernels", "Li et al., CVPR 2019, arXiv:1903.06586")
def selective_kernels() -> keras.Model:
    """Two kernel sizes; for each channel a softmax over the two says how much of each is taken."""
    inputs = keras.Input((16, 16, 3))
    x = conv_norm(inputs, 32, strides=2)
    small, large = conv_norm(x, 32), depthwise_norm(x, 5)
    hidden = layers.GlobalAveragePooling2D(keepdims=True)(layers.Add()([small, large]))
    hidden = conv_norm(hidden, 16, 1)
    choices = [layers.Conv2D(32, 1)(hidden) for _ in range(2)]
    weights = ops.softmax(ops.stack(choices, axis=1), axis=1)
    x = layers.Add()([weights[:, 0] * small, weights[:, 1] * large])
    return classifier(inputs, x)
