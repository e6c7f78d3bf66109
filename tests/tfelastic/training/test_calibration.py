"""Recalibration against batch statistics computed by numpy."""

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
from tfelastic.errors import TrainingError


def images(count: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(2.0, 3.0, (count, 4, 4, 3)).astype("float32")


def test_statistics_are_the_mean_over_batches() -> None:
    norm = layers.BatchNormalization(momentum=0.9)
    model = keras.Sequential([keras.Input((4, 4, 3)), norm, layers.Conv2D(2, 1)])
    before = [weight.numpy() for weight in model.trainable_variables]
    data = images(26)
    te.recalibrate(model, data, batch_size=8)
    batches = (
        data[:24].reshape(3, 8 * 16, 3).astype("float64")
    )  # The last two images fill no batch.
    np.testing.assert_allclose(norm.moving_mean, batches.mean(axis=1).mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(norm.moving_variance, batches.var(axis=1).mean(axis=0), rtol=1e-4)
    assert all(
        np.array_equal(old, new) for old, new in zip(before, model.trainable_variables, strict=True)
    )


def test_a_later_norm_sees_what_training_shows_it() -> None:
    """The first norm works on each batch's own statistics, so the second sees mean beta and variance gamma squared."""
    first, second = layers.BatchNormalization(epsilon=1e-6), layers.BatchNormalization()
    model = keras.Sequential([keras.Input((4, 4, 3)), first, second])
    first.gamma.assign([2.0, -1.0, 0.5])
    first.beta.assign([1.0, 0.0, -3.0])
    te.recalibrate(model, images(16), batch_size=8)
    np.testing.assert_allclose(second.moving_mean, [1.0, 0.0, -3.0], atol=1e-4)
    np.testing.assert_allclose(second.moving_variance, [4.0, 1.0, 0.25], rtol=1e-3)


def test_fewer_images_than_a_batch() -> None:
    norm = layers.BatchNormalization()
    te.recalibrate(keras.Sequential([keras.Input((4, 4, 3)), norm]), images(5), batch_size=128)
    np.testing.assert_allclose(norm.moving_mean, images(5).mean(axis=(0, 1, 2)), rtol=1e-4)


def test_nothing_to_measure_and_nothing_to_measure_on() -> None:
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.Conv2D(2, 1)])
    te.recalibrate(model, images(2))
    with pytest.raises(TrainingError, match="needs at least one image"):
        te.recalibrate(model, images(0))
