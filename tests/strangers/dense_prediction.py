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
