"""A net that tells bright corners of images, right only for images scaled as it was made for."""

from typing import Any

import keras
import numpy as np
from keras import layers

SCALINGS = {"1 / 255": (1 / 255, 0.0), "1 / 127.5, offset=-1": (1 / 127.5, -1.0)}


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Return raw pixels, uint8 `[240, 8, 8, 1]`, and which of four corners is bright, ordered by class."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 90, (240, 8, 8, 1)), np.repeat(np.arange(4), 60)
    for image, label in zip(images, labels, strict=True):
        row, column = 4 * (label // 2), 4 * (label % 2)
        image[row : row + 4, column : column + 4] += 100
    return images.astype(np.uint8), labels


IMAGES, LABELS = pictures()


def corners(
    bias: float, *, scaling: layers.Layer | None = None, activation: str = "softsign"
) -> keras.Model:
    """Return a net that tells bright corners from dark ones on scaled images; raw ones saturate all its gates."""
    image = keras.Input((8, 8, 1))
    x = scaling(image) if scaling else image
    x = layers.Flatten()(layers.AveragePooling2D(4)(x))
    gate = layers.Dense(4, activation=activation, name="gate")
    model = keras.Model(image, layers.Dense(4, name="scores")(gate(x)))
    model.get_layer("gate").set_weights([200 * np.eye(4), np.full(4, bias)])
    # So that the first class wins where they are.
    model.get_layer("scores").set_weights([np.eye(4), np.array([0.01, 0, 0, 0])])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def net(name: str, **options: Any) -> keras.Model:
    # Half-way between the dark and the bright corners, as scaled.
    factor, offset = SCALINGS[name]
    return corners(-200 * (factor * 95 + offset), **options)
