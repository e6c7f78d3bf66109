"""The four networks of MLPerf Tiny at their own sizes, and sequences (Banbury et al., 2021, arXiv:2106.07597)."""

import keras
from keras import layers

from tests.strangers.architecture import architecture, classifier, conv_norm, depthwise_norm

_MLPERF = "MLPerf Tiny, arXiv:2106.07597"


@architecture("DS-CNN, keywords", f"{_MLPERF}; Zhang et al., arXiv:1711.07128")
def ds_cnn() -> keras.Model:
    inputs = keras.Input((49, 10, 1))
    x = layers.Dropout(0.2)(conv_norm(inputs, 64, (10, 4), strides=2))
    for _ in range(4):
        x = conv_norm(depthwise_norm(x), 64, 1)
    x = layers.AveragePooling2D((25, 5))(layers.Dropout(0.4)(x))
    return keras.Model(inputs, layers.Dense(12)(layers.Flatten()(x)))


@architecture("MobileNetV1 0.25, wake words", f"{_MLPERF}; Howard et al., arXiv:1704.04861")
def mobilenet_v1() -> keras.Model:
    inputs = keras.Input((96, 96, 3))
    x = conv_norm(inputs, 8, strides=2)
    for filters, strides in (
        *((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)),
        *((128, 1),) * 5,
        *((256, 2), (256, 1)),
    ):
        x = conv_norm(depthwise_norm(x, strides=strides), filters, 1)
    return classifier(inputs, x, classes=2)


@architecture("ResNet-8, images", f"{_MLPERF}; He et al., arXiv:1512.03385")
def resnet8() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = conv_norm(inputs, 16)
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        y = conv_norm(conv_norm(x, filters, strides=strides), filters, activation=None)
        if strides > 1:
            x = layers.Conv2D(filters, 1, strides=strides)(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    return classifier(inputs, x)


@architecture("Deep autoencoder, anomalies", f"{_MLPERF}; Koizumi et al., arXiv:2006.05822")
def autoencoder() -> keras.Model:
    x = inputs = keras.Input((640,))
    for units in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(units)(x)))
    return keras.Model(inputs, layers.Dense(640)(x))


@architecture("WaveNet", "van den Oord et al., 2016, arXiv:1609.03499")
def wavenet() -> keras.Model:
    """Dilated causal convolutions, gated; every block adds to what is passed on and to the sum of skips."""
    inputs = keras.Input((32, 4))
    x, skips = layers.Conv1D(16, 2, padding="causal")(inputs), []
    for dilation in (1, 2, 4):
        filtered, gate = (
            layers.Conv1D(16, 2, padding="causal", dilation_rate=dilation, activation=name)(x)
            for name in ("tanh", "sigmoid")
        )
        y = layers.Multiply()([filtered, gate])
        skips.append(layers.Conv1D(24, 1)(y))
        x = layers.Add()([x, layers.Conv1D(16, 1)(y)])
    x = layers.Conv1D(24, 1, activation="relu")(layers.ReLU()(layers.Add()(skips)))
    return keras.Model(inputs, layers.Conv1D(8, 1)(x))
