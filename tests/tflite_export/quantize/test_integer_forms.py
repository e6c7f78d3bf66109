"""What TFLite computes in float32 alone becomes what has an integer kernel: the same to the bit, and int8 follows."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.support.weights import randomize
from tflite_export._convert import convert
from tflite_export.errors import ConversionError
from tflite_export.runtimes.litert import LiteModel
from tflite_export.tflite import summarize, with_integer_forms

SHAPE = (8, 8, 16)
SAMPLES = np.random.default_rng(0).normal(0, 1, (64, *SHAPE)).astype("float32")

WITHOUT_INTEGERS = {
    "int8": {"NEG", "SQUARE"},
    "int16": {"NEG", "SQUARE", "SQUARED_DIFFERENCE"},
}

ALLOWED = {"int8": 0.1, "int16x8": 0.03}
"""How far outputs may be from Keras', relative to their deviation from their means."""


def _normalized(x):
    return layers.LayerNormalization()(x)


def _negated_and_squared(x):
    return layers.Concatenate()([ops.negative(x), ops.square(x)])


def _convnext_block(x):
    y = layers.LayerNormalization()(layers.DepthwiseConv2D(7, padding="same")(x))
    return layers.Add()([x, layers.Dense(16)(layers.Dense(32, "gelu")(y))])


def _transformer_block(x):
    x = layers.Reshape((64, 16))(x)
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(y, y)])
    y = layers.Dense(16)(layers.Dense(32, "relu")(layers.LayerNormalization()(x)))
    return layers.Add()([x, y])


def _called_twice(x):
    """Inputs of two scales, so that as integers the bias is not the same in both calls."""
    conv, dense = layers.Conv2D(8, 3), layers.Dense(8)
    x = layers.Concatenate()([conv(x), conv(x / 50)])
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Concatenate()([dense(x), dense(x / 50)])


def _net(body) -> keras.Model:
    keras.utils.set_random_seed(1)
    image = keras.Input(SHAPE)
    x = body(layers.Conv2D(16, 3, padding="same")(image))
    return randomize(keras.Model(image, layers.Dense(3)(layers.Flatten()(x))), alive=True)


@pytest.mark.parametrize("activations", WITHOUT_INTEGERS)
def test_the_float_file_computes_the_same_to_the_bit(activations):
    model = _net(lambda x: _negated_and_squared(_normalized(x)))
    tflite = convert(model, scheme="float32", raw_pixels=False, strip=False)
    replaced = with_integer_forms(tflite, activations=activations)
    gone = WITHOUT_INTEGERS[activations]
    assert set(summarize(tflite).operators) >= gone
    assert not gone.intersection(summarize(replaced).operators)
    (before,), (after,) = (LiteModel(each).outputs([SAMPLES]) for each in (tflite, replaced))
    np.testing.assert_array_equal(before, after)
    assert with_integer_forms(replaced, activations=activations) is replaced


@pytest.mark.parametrize("scheme", ALLOWED)
@pytest.mark.parametrize(
    "body",
    [_normalized, _negated_and_squared, _convnext_block, _transformer_block, _called_twice],
)
def test_integers_are_near_keras(body, scheme):
    model = _net(body)
    tflite = convert(model, scheme=scheme, samples=SAMPLES, raw_pixels=False)
    expected, (found,) = ops.convert_to_numpy(model(SAMPLES)), LiteModel(tflite).outputs([SAMPLES])
    spread = np.linalg.norm(expected - expected.mean(axis=0))
    assert np.linalg.norm(found - expected) < ALLOWED[scheme] * spread


def test_attention_in_int8_runs_on_microcontrollers():
    model = _net(_transformer_block)
    # The conversion itself asks TFLM for its outputs.
    tflite = convert(model, samples=SAMPLES, raw_pixels=False, target="tflm")
    assert "BATCH_MATMUL" in summarize(tflite).operators


def test_what_microcontrollers_lack_is_named():
    with pytest.raises(ConversionError, match=r"target 'tflm' cannot run GELU"):
        convert(_net(_convnext_block), samples=SAMPLES, raw_pixels=False, target="tflm")
