"""Small networks with nothing left at its initial value, and their conversions, each made once."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

from tests.support.weights import randomize
from tflite_export._convert import convert

IMAGE_SHAPE = (16, 16, 3)
CLASSES = 5


def _plain(x):
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(x)
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", name="depthwise")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(12, 1, use_bias=False)(layers.ReLU()(x))
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return layers.Dense(CLASSES, name="logits")(layers.GlobalAveragePooling2D()(x))


def _residual(x):
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="first")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.Conv2D(8, 3, padding="same", use_bias=False)(y)
    x = layers.ReLU()(layers.Add()([x, layers.BatchNormalization()(y)]))
    x = layers.AveragePooling2D(4)(x)
    return layers.Dense(CLASSES, name="logits")(layers.GlobalAveragePooling2D()(x))


def _flatten(x):
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="first")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
    return layers.Dense(CLASSES, name="logits")(x)


BODIES = {"plain": _plain, "residual": _residual, "flatten": _flatten}


@pytest.fixture(scope="session")
def build() -> Callable[[str], keras.Model]:
    """Return a function that builds a fresh net by its name, always with the same weights."""

    def make(kind: str) -> keras.Model:
        keras.utils.set_random_seed(7)
        image = keras.Input(IMAGE_SHAPE)
        logits = BODIES[kind](layers.Rescaling(1 / 127.5, offset=-1)(image))
        model = keras.Model(image, logits, name=kind)
        return randomize(model, seed=7, alive=True)

    return make


@pytest.fixture(scope="session")
def nets(build) -> dict[str, keras.Model]:
    """Return one net of each kind, for tests that do not change it."""
    return {kind: build(kind) for kind in BODIES}


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Return smooth raw pixels, uint8 `[200, 16, 16, 3]`, that hold neither 0 nor 255."""
    rng = np.random.default_rng(3)
    tint = rng.uniform(20, 230, (200, 1, 1, 3))
    patches = rng.normal(0, 40, (200, 4, 4, 3)).repeat(4, axis=1).repeat(4, axis=2)
    grain = rng.normal(0, 8, patches.shape)
    return np.clip(tint + patches + grain, 2, 250).astype(np.uint8)


@pytest.fixture(scope="session")
def labels(nets, images) -> dict[str, np.ndarray]:
    """Return labels `[200]` per net: what Keras answers where it is sure, its last choice elsewhere.

    So a rounding that tips a near tie costs no accuracy, as with a trained net it seldom would.
    """
    found = {}
    for kind, model in nets.items():
        logits = np.asarray(model(images.astype(np.float32)))
        ranked = np.sort(logits, axis=1)
        sure = ranked[:, -1] - ranked[:, -2] > 0.1 * logits.std()
        found[kind] = np.where(sure, logits.argmax(axis=1), logits.argmin(axis=1))
    return found


@pytest.fixture(scope="session")
def converted(nets, images) -> Callable[..., bytes]:
    """Return a function from a net's kind and a scheme to the .tflite, converted at first need."""
    made: dict[tuple[str, str], bytes] = {}

    def get(kind: str, scheme: str = "int8") -> bytes:
        if (kind, scheme) not in made:
            made[kind, scheme] = convert(nets[kind], scheme=scheme, samples=images)
        return made[kind, scheme]

    return get
