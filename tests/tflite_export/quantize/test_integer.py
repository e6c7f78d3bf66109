"""What the quantizer cannot take is an error that names the operator; it never ends this process."""

import keras
import numpy as np
import pytest
from keras import layers
from keras.initializers import Constant as constant  # noqa: N813

from tflite_export._convert import convert
from tflite_export.errors import ConversionError
from tflite_export.quantize import integer
from tflite_export.runtimes.litert import LiteModel

IMAGE_SHAPE = (16, 16, 3)
SAMPLES = np.random.default_rng(0).integers(0, 256, (8, *IMAGE_SHAPE)).astype("uint8")


def _net(activation: str) -> keras.Model:
    image = keras.Input(IMAGE_SHAPE)
    x = layers.Conv2D(4, 3, activation=activation, name="conv1")(layers.Rescaling(1 / 255)(image))
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)), name="net")


def test_another_process_quantizes_to_the_same_bytes(nets, images, converted, monkeypatch):
    monkeypatch.setattr(integer, "QUANTIZABLE", frozenset())
    assert convert(nets["flatten"], samples=images) == converted("flatten")


@pytest.mark.parametrize("scheme", ["int8", "int16x8"])
def test_an_operator_without_an_integer_kernel_is_named(scheme):
    with pytest.raises(ConversionError, match="ELU") as caught:
        convert(_net("elu"), scheme=scheme, samples=SAMPLES)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_the_death_of_the_other_process_names_the_operators(monkeypatch):
    monkeypatch.setattr(integer, "QUANTIZABLE", frozenset())
    monkeypatch.setattr(integer, "_CHILD", "import os; os.kill(os.getpid(), 6)")
    with pytest.raises(ConversionError, match=r"'net'.*'int8'.*CONV_2D.*crashed \(signal 6\)"):
        convert(_net("relu"), samples=SAMPLES)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_a_recurrent_layer_is_refused_alike_by_every_scheme(kind, scheme):
    windows = keras.Input((16, 4))
    model = keras.Model(windows, layers.Dense(3)(getattr(layers, kind)(4)(windows)))
    with pytest.raises(ConversionError, match="loop"):
        convert(model, scheme=scheme, samples=SAMPLES.reshape(-1, 16, 4))


def test_a_constant_of_minus_infinity_is_named():
    image = keras.Input(IMAGE_SHAPE)
    borders = [[0, 0], [1, 1], [1, 1], [0, 0]]
    padded = keras.ops.pad(layers.Conv2D(4, 3)(image), borders, constant_values=float("-inf"))
    pooled = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(3, strides=2)(padded))
    with pytest.raises(
        ConversionError, match=r"PADV2 .*constant -3\.4e\+38, which stands for infinity"
    ):
        convert(keras.Model(image, layers.Dense(3)(pooled)), samples=SAMPLES)


def test_a_value_that_becomes_infinite_is_named():
    image = keras.Input(IMAGE_SHAPE)
    x = keras.ops.exp(layers.GlobalAveragePooling2D()(image))
    with pytest.raises(ConversionError, match=r"EXP .*values from .* to inf"):
        convert(keras.Model(image, layers.Dense(3)(x)), samples=SAMPLES)


@pytest.mark.parametrize("pooled", [False, True])
def test_a_layer_that_the_samples_leave_dead_runs_in_integers(pooled):
    image = keras.Input(IMAGE_SHAPE)
    alive = layers.Conv2D(4, 3, name="alive")(layers.Rescaling(1 / 255)(image))
    x = layers.Conv2D(4, 3, activation="relu", bias_initializer=constant(-9.0), name="dead")(alive)
    x = layers.Conv2D(4, 3, name="behind")(layers.MaxPooling2D(2)(x) if pooled else x)
    x = layers.Concatenate()([layers.GlobalMaxPooling2D()(each) for each in (alive, x)])
    model = keras.Model(image, layers.Dense(3, bias_initializer=constant(0.5))(x))
    tflite = convert(model, samples=SAMPLES)
    expected = keras.ops.convert_to_numpy(model(SAMPLES[:1]))
    (found,) = LiteModel(tflite).outputs([SAMPLES[:1]])
    np.testing.assert_allclose(found, expected, atol=0.05)
