"""A small net with every kind of coupling, and data for it."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from tests.support.precision import precision
from tests.support.weights import randomize

layers = keras.layers


@pytest.fixture
def float64():
    """Let new layers compute in double precision."""
    with precision("float64"):
        yield


def coupled_net(ending: str | None = None) -> keras.Model:
    """Return a net with a residual stream, depthwise and grouped convolutions, a gate, a concatenation, a Flatten."""
    inputs = keras.Input((6, 6, 2))
    stem = layers.Conv2D(8, 3, padding="same", name="stem")(inputs)
    x = stem = layers.ReLU()(layers.BatchNormalization()(stem))
    x = layers.Conv2D(6, 1, name="expand")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Activation("silu")(layers.BatchNormalization()(x))
    gate = layers.Dense(4, activation="silu", name="squeeze")(layers.GlobalAveragePooling2D()(x))
    gate = layers.Dense(6, activation="sigmoid", name="excite")(gate)
    x = layers.Multiply()([x, layers.Reshape((1, 1, 6))(gate)])
    x = layers.Conv2D(8, 1, name="project")(x)
    x = layers.Add()([x, stem])
    grouped = layers.Conv2D(8, 3, groups=4, padding="same", name="grouped")(
        layers.Conv2D(8, 1, name="before")(x)
    )
    x = layers.Concatenate()([layers.ReLU()(grouped), x])
    x = layers.Conv2D(4, 3, strides=3, activation="relu", name="reduce")(x)
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(3, activation=ending, name="logits")(x))
    return randomize(model)


@pytest.fixture
def make_net() -> Callable[[str | None], keras.Model]:
    """Make a net in the present precision, with a softmax or class scores at its end."""
    return coupled_net


@pytest.fixture
def net() -> keras.Model:
    """The net in single precision."""
    return coupled_net()


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    """Twelve images and their classes."""
    draw = np.random.default_rng(1)
    return draw.normal(size=(12, 6, 6, 2)).astype("float32"), draw.integers(0, 3, 12)
