"""The table of architectures, and the layers that most of them are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers


@dataclass(frozen=True)
class Architecture:
    """A public architecture, built small.

    Attributes:
        name: What it is called.
        source: The paper that describes it.
        build: Makes the model, with fresh weights.
        seed: That of its random weights. A ReLU behind a global pooling sees much the same at every input; where
            those of 0 leave it at zero, an exchange of its channels could not be seen.
    """

    name: str
    source: str
    build: Callable[[], keras.Model]
    seed: int = 0


ARCHITECTURES: list[Architecture] = []
Builder = Callable[[], keras.Model]


def architecture(name: str, source: str, *, seed: int = 0) -> Callable[[Builder], Builder]:
    """Add the model that a function builds to the table."""

    def add(build: Builder) -> Builder:
        ARCHITECTURES.append(Architecture(name, source, build, seed))
        return build

    return add


def conv_norm(
    x: Any,
    filters: int,
    size: int | tuple[int, int] = 3,
    *,
    strides: int | tuple[int, int] = 1,
    activation: str | None = "relu",
    groups: int = 1,
) -> Any:
    """Apply a convolution without bias, BatchNorm, and an activation where one is named."""
    x = layers.Conv2D(
        filters, size, strides=strides, padding="same", groups=groups, use_bias=False
    )(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x) if activation else x


def depthwise_norm(
    x: Any, size: int = 3, *, strides: int = 1, activation: str | None = "relu"
) -> Any:
    """Apply a depthwise convolution without bias, BatchNorm, and an activation where one is named."""
    x = layers.DepthwiseConv2D(size, strides=strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x) if activation else x


def squeeze_excite(x: Any, *, ratio: int = 4, gate: str = "sigmoid") -> Any:
    """Multiply each channel by a gate computed from the means of all (arXiv:1709.01507)."""
    channels = x.shape[-1]
    y = layers.GlobalAveragePooling2D(keepdims=True)(x)
    y = layers.Conv2D(channels // ratio, 1, activation="relu")(y)
    y = layers.Conv2D(channels, 1, activation=gate)(y)
    return layers.Multiply()([x, y])


def classifier(inputs: Any, x: Any, *, classes: int = 10) -> keras.Model:
    """Return the model that ends in the logits of pooled features."""
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x))
