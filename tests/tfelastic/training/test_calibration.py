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
    with pytest.raises(TrainingError, match="needs at least one sample"):
        te.recalibrate(model, images(0))


def norms_of_two(first: str, second: str) -> keras.Model:
    inputs = {name: keras.Input((4, 4, 3), name=name) for name in (first, second)}
    parts = [layers.BatchNormalization(name=f"norm_{name}")(each) for name, each in inputs.items()]
    return keras.Model(inputs, layers.Concatenate()(parts))


class Pairs(keras.utils.PyDataset):
    """Three batches of eight samples and one of two, with labels."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        part = slice(8 * index, 8 * index + 8)
        return {name: array[part] for name, array in PAIR.items()}, np.zeros(len(PAIR["a"][part]))


PAIR = {"a": images(26), "b": 5 * images(26, seed=1)}


@pytest.mark.parametrize("form", ["dict", "tf.data", "tf.data without labels", "PyDataset"])
def test_several_inputs_in_every_form(form: str) -> None:
    model = norms_of_two("a", "b")
    data: object = PAIR
    if form.startswith("tf.data"):
        tf = pytest.importorskip("tensorflow")
        parts = PAIR if form.endswith("labels") else (PAIR, np.zeros(26))
        data = tf.data.Dataset.from_tensor_slices(parts).batch(8)
    elif form == "PyDataset":
        data = Pairs(workers=1)
    te.recalibrate(model, data, batch_size=8)
    for name, array in PAIR.items():
        batches = array[:24].reshape(3, 8 * 16, 3).astype("float64")
        norm = model.get_layer(f"norm_{name}")
        np.testing.assert_allclose(norm.moving_mean, batches.mean(1).mean(0), rtol=1e-4)
        np.testing.assert_allclose(norm.moving_variance, batches.var(1).mean(0), rtol=1e-4)


def test_inputs_in_a_list() -> None:
    inputs = [keras.Input((4, 4, 3)), keras.Input((4, 4, 3))]
    norm = layers.BatchNormalization()
    model = keras.Model(inputs, norm(layers.Subtract()(inputs)))
    te.recalibrate(model, [PAIR["a"], PAIR["b"]])
    np.testing.assert_allclose(
        norm.moving_mean, (PAIR["a"] - PAIR["b"]).mean(axis=(0, 1, 2)), rtol=1e-4
    )


def test_values_of_any_size() -> None:
    """Raw pixels have large statistics, which a momentum of 0.99 must not hide in rounding."""
    norm = layers.BatchNormalization()
    data = 1e5 * images(64)
    te.recalibrate(keras.Sequential([keras.Input((4, 4, 3)), norm]), data)
    np.testing.assert_allclose(
        norm.moving_variance, data.astype("float64").var((0, 1, 2)), rtol=1e-3
    )


def test_a_frozen_norm_keeps_its_statistics_and_later_norms_see_what_it_makes_of_them() -> None:
    frozen, later = layers.BatchNormalization(epsilon=0.0), layers.BatchNormalization()
    model = keras.Sequential([keras.Input((4, 4, 3)), frozen, later])
    frozen.moving_mean.assign([1.0, 2.0, 3.0])
    frozen.moving_variance.assign([4.0, 9.0, 16.0])
    frozen.trainable = False
    data = images(64)
    te.recalibrate(model, data)
    np.testing.assert_array_equal(frozen.moving_mean, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(frozen.moving_variance, [4.0, 9.0, 16.0])
    expected = (data.astype("float64") - [1, 2, 3]) / [2, 3, 4]
    np.testing.assert_allclose(later.moving_mean, expected.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(later.moving_variance, expected.var((0, 1, 2)), rtol=1e-4)


def test_data_that_do_not_end_or_cannot_be_read_again_are_refused() -> None:
    tf = pytest.importorskip("tensorflow")
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.BatchNormalization()])
    endless = tf.data.Dataset.from_tensor_slices(images(4)).batch(2).repeat()
    with pytest.raises(TrainingError, match=r"endless data set; give data\.take"):
        te.recalibrate(model, endless)
    with pytest.raises(TrainingError, match="more than once, received a generator"):
        te.recalibrate(model, (each for each in [images(4)]))
