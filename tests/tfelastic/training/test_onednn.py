"""Strided 1x1 convolutions of few channels train; without the way around them TensorFlow's process ends."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te

TRAINING = """
import keras, numpy as np, tfelastic as te
from keras import layers

inputs = keras.Input((64, 64, 3))
x = layers.Conv2D(32, 3, padding="same", activation="relu")(inputs)
y = layers.MaxPooling2D(2)(layers.Conv2D(64, 3, padding="same", activation="relu")(x))
x = layers.Add()([y, layers.Conv2D(64, 1, strides=2, padding="same")(x)])
model = keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
images, labels = np.random.default_rng(0).uniform(0, 1, (4, 64, 64, 3)), np.array([0, 1, 2, 0])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
ladder = te.ladder(model, widths=(1, 0.25))
net = te.ElasticModel(model, ladder)
small = net.cut("w025")
"""
TRANSPOSED = """
import keras, numpy as np, tfelastic as te
from keras import layers

parts = [layers.Conv2D(32, 3, padding="same"), layers.Conv2DTranspose(8, 1, strides=2)]
model = keras.Sequential([keras.Input((64, 64, 3)), *parts])
images = np.random.default_rng(0).uniform(0, 1, (4, 64, 64, 3))
model.compile("sgd", "mse")
with te.avoid_onednn_crash(model):
    model.fit(images, np.zeros((4, 128, 128, 8)), verbose=0)
"""
WAYS = {
    "jointly": "net.compile('sgd', loss); net.fit(images, labels, verbose=0)",
    "by growing": """
model.compile("sgd", loss, jit_compile=False)
te.prune_and_grow(model, (images, labels), ladder=ladder, training=te.LevelTraining(epochs=1))""",
    "as a student": """
student = te.Student(small, model)
student.compile("sgd", loss)
student.fit(images, labels, verbose=0)""",
    "alone": """
small.compile("sgd", loss)
with te.avoid_onednn_crash(small):
    small.fit(images, labels, verbose=0)""",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_narrow_rung_trains(way: str) -> None:
    assert_trains(f"{TRAINING}\n{WAYS[way]}")


def test_a_transposed_convolution_to_few_channels_trains() -> None:
    assert_trains(TRANSPOSED)


def assert_trains(program: str) -> None:
    """Run a program in a process of its own, which a crash would end."""
    program = f"{program}\nprint('trained')"
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"},
    )
    assert (run.returncode, run.stdout) == (0, "trained\n"), run.stderr[-500:]


@pytest.mark.parametrize("strides", [2, 3, (2, 1)])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [7, 8])
def test_the_values_are_those_of_the_layer(strides: object, padding: str, size: int) -> None:
    layer = layers.Conv2D(5, 1, strides=strides, padding=padding, activation="relu")
    model = keras.Sequential([keras.Input((size, size, 4)), layer])
    images = np.random.default_rng(0).normal(size=(2, size, size, 4)).astype("float32")
    expected = keras.ops.convert_to_numpy(model(images))
    with te.avoid_onednn_crash(model):
        assert layer.strides == (1, 1)
        found = keras.ops.convert_to_numpy(model(images))
    assert layer.strides != (1, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strides", [2, 3, (2, 1)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_values_are_those_of_the_transposed_layer(strides: object, padding: str) -> None:
    layer = layers.Conv2DTranspose(
        5, 1, strides=strides, padding=padding, bias_initializer="ones", activation="tanh"
    )
    model = keras.Sequential([keras.Input((7, 8, 4)), layer])
    images = np.random.default_rng(0).normal(size=(2, 7, 8, 4)).astype("float32")
    expected = keras.ops.convert_to_numpy(model(images))
    with te.avoid_onednn_crash(model):
        assert layer.strides == (1, 1)
        found = keras.ops.convert_to_numpy(model(images))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


class Shortcut(layers.Layer):
    """A layer with a convolution inside, of a subclass that only has another name."""

    class Pointwise(layers.Conv2D):
        pass

    def __init__(self) -> None:
        super().__init__()
        self.conv = self.Pointwise(5, 1, strides=2)

    def build(self, shape: tuple[int, ...]) -> None:
        self.conv.build(shape)

    def call(self, x: object) -> object:
        return self.conv(x)


def test_convolutions_within_layers_are_reached() -> None:
    shortcut = Shortcut()
    model = keras.Sequential([keras.Input((8, 8, 4)), shortcut])
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")
    expected = keras.ops.convert_to_numpy(model(images))
    with te.avoid_onednn_crash(model):
        assert shortcut.conv.strides == (1, 1)
        found = keras.ops.convert_to_numpy(model(images))
    assert shortcut.conv.strides == (2, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_sequences() -> None:
    layer = layers.Conv1D(5, 1, strides=2, padding="same")
    model = keras.Sequential([keras.Input((6400, 8)), layer])
    model.compile("sgd", "mse")
    signals = np.random.default_rng(0).normal(size=(4, 6400, 8)).astype("float32")
    expected = model.predict(signals, verbose=0)
    with te.avoid_onednn_crash(model):
        np.testing.assert_allclose(model(signals), expected, rtol=1e-4, atol=1e-5)
        model.fit(signals, expected + 1, verbose=0)
    assert not np.allclose(model(signals), expected)


def test_nested_models_are_reached_and_other_layers_left() -> None:
    inner = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(5, 1, strides=2)])
    wide = layers.Conv2D(3, 1, strides=2)
    inputs = keras.Input((8, 8, 4))
    x = layers.Conv2D(16, 3, strides=2, padding="same")(inputs)
    model = keras.Model(inputs, [inner(inputs), wide(x)])
    with te.avoid_onednn_crash(model):
        assert inner.layers[0].strides == (1, 1)
        assert wide.strides == (2, 2)
