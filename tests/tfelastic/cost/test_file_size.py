"""The estimated file: what it is made of, against counts by hand (its error is tested where files are converted)."""

import keras
from keras import layers

import tfelastic as te
from tfelastic._cost import anatomy, tflite_bytes
from tfelastic._plan import Selection


def net() -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(32, 3, use_bias=False, name="conv")(image)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(x))
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(10, name="logits")(x), name="net")


def test_kernels_take_a_byte_a_weight_and_28_bytes_a_channel() -> None:
    found = anatomy(Selection(te.trace(net())))
    weights = 27 * 32 + 9 * 32 + 32 * 10
    assert found.payload_bytes == weights + 28 * (32 + 32 + 10)
    assert (found.operations, found.kernels) == (4, 3)


def test_values_are_named_after_all_that_is_folded_into_them() -> None:
    found = anatomy(Selection(te.trace(net())))
    first, others = ("conv", "norm", "relu"), ("depthwise", "logits")
    letters = 3 * sum(len(name) + 7 for name in (*first, *others)) + len("pool") + 7
    assert found.letters == letters


def test_a_plan_is_estimated_as_the_model_that_it_makes() -> None:
    model = net()
    plan = te.plan(model, budget=te.Budget(tflite_bytes=0.8))
    unpruned, small = (
        tflite_bytes(Selection(te.trace(each))) for each in (model, te.prune(model, plan))
    )
    assert tflite_bytes(Selection(te.trace(model), plan)) == small
    assert small <= 0.8 * unpruned
