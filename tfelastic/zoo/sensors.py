"""Networks of measured values: keyword spotting on spectra, movements in windows of a sensor, both together."""

from collections.abc import Mapping
from typing import Any

import keras

from tfelastic.errors import GraphError
from tfelastic.zoo.base import register
from tfelastic.zoo.parts import Parts


@register("ds_cnn", images=False)
def ds_cnn(spectra: Any, classes: Any, parts: Parts, *, filters: int = 64, blocks: int = 4) -> Any:
    """Return the logits of DS-CNN, depthwise separable convolutions for keyword spotting.

    Zhang, Suda, Lai, Chandra: Hello Edge, arXiv 1711.07128; with 64 filters and 4 blocks the small one, which MLPerf
    Tiny runs on 49 frames of 10 coefficients (Banbury et al., arXiv 2106.07597).

    Args:
        spectra: `[batch, frames, bands, 1]`.
        classes: How many logits; a dict for several outputs.
        parts: Makes the layers.
        filters: Channels of every convolution.
        blocks: How many separable convolutions follow the first one.
    """
    x = _one_input("ds_cnn", spectra, rank=4)
    return _heads(_spectrum_features(x, parts, filters=filters, blocks=blocks), classes, parts)


@register("cnn1d", images=False)
def cnn1d(windows: Any, classes: Any, parts: Parts, *, filters: int = 16) -> Any:
    """Return the logits of a small 1-D network for windows of a motion sensor.

    Args:
        windows: `[batch, steps, channels]`, at least 8 steps.
        classes: How many logits; a dict for several outputs.
        parts: Makes the layers.
        filters: Channels of the first convolution; the second has twice, the third four times as many.
    """
    x = _one_input("cnn1d", windows, rank=3)
    return _heads(_window_features(x, parts, filters=filters), classes, parts)


@register("two_branches", images=False)
def two_branches(inputs: Any, classes: Any, parts: Parts, *, filters: int = 16) -> Any:
    """Return the logits of a network with a branch per input, whose features a dense layer joins.

    Args:
        inputs: A dict of windows `[batch, steps, channels]` and spectra `[batch, frames, bands, channels]`.
        classes: How many logits; a dict for several outputs.
        parts: Makes the layers.
        filters: Channels of each branch's first convolution.
    """
    if not isinstance(inputs, Mapping):
        raise GraphError("zoo model 'two_branches' takes a dict of inputs, one shape for each")
    features = []
    for name, x in inputs.items():
        if len(x.shape) == 3:
            features.append(_window_features(x, parts, filters=filters, prefix=f"{name}_"))
        else:
            spectrum = _spectrum_features(x, parts, filters=filters, blocks=2, prefix=f"{name}_")
            features.append(spectrum)
    x = keras.layers.Concatenate(name="concatenate")(features) if len(features) > 1 else features[0]
    x = parts.relu(parts.dense(x, 4 * filters, name="dense"), name="dense_relu")
    return _heads(x, classes, parts)


def _one_input(name: str, inputs: Any, *, rank: int) -> Any:
    if isinstance(inputs, Mapping) or len(inputs.shape) != rank:
        axes = ", ".join(("steps", "channels") if rank == 3 else ("frames", "bands", "channels"))
        raise GraphError(f"zoo model {name!r} takes one input_shape ({axes})")
    return inputs


def _spectrum_features(
    x: keras.KerasTensor, parts: Parts, *, filters: int, blocks: int, prefix: str = ""
) -> keras.KerasTensor:
    x = parts.batch_norm(x, name=f"{prefix}input_bn")
    x = _conv_bn_relu(
        keras.layers.Conv2D, x, filters, (10, 4), parts, name=f"{prefix}stem", strides=2
    )
    for block in range(1, blocks + 1):
        name = f"{prefix}block{block}"
        x = parts.depthwise(x, name=f"{name}_depthwise")
        x = parts.relu(
            parts.batch_norm(x, name=f"{name}_depthwise_bn"), name=f"{name}_depthwise_relu"
        )
        x = parts.conv_bn_relu(x, filters, 1, name=f"{name}_pointwise")
    return keras.layers.GlobalAveragePooling2D(name=f"{prefix}pool")(x)


def _window_features(
    x: keras.KerasTensor, parts: Parts, *, filters: int, prefix: str = ""
) -> keras.KerasTensor:
    x = parts.batch_norm(x, name=f"{prefix}input_bn")
    for number in (1, 2, 3):
        name = f"{prefix}conv{number}"
        width = filters * 2 ** (number - 1)
        x = _conv_bn_relu(keras.layers.Conv1D, x, width, 5, parts, name=name)
        if number < 3:
            x = keras.layers.MaxPooling1D(2, name=f"{name}_pool")(x)
    return keras.layers.GlobalAveragePooling1D(name=f"{prefix}pool")(x)


def _conv_bn_relu(
    layer: type[keras.Layer],
    x: keras.KerasTensor,
    filters: int,
    kernel_size: Any,
    parts: Parts,
    *,
    name: str,
    strides: int = 1,
) -> keras.KerasTensor:
    x = layer(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.HeNormal(parts.seed_of(name)),
        name=name,
    )(x)
    return parts.relu(parts.batch_norm(x, name=f"{name}_bn"), name=f"{name}_relu")


def _heads(features: keras.KerasTensor, classes: Any, parts: Parts) -> Any:
    """Return `logits`, or one dense layer per output with the output's name."""
    if not isinstance(classes, Mapping):
        return parts.logits(features, classes)
    return {name: parts.dense(features, count, name=name) for name, count in classes.items()}
