"""The estimated file: what it is made of, against counts by hand (its error is tested where files are converted)."""

import keras
import pytest
from keras import layers

import tfelastic as te
from tfelastic._cost import anatomy, resident_bytes, tflite_bytes
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


def test_names_are_spelt_as_the_converter_spells_them() -> None:
    found = anatomy(Selection(te.trace(net())))
    add, product = "net_1/norm_1/batchnorm/add_1;", "net_1/conv_1/convolution;"
    first = "net_1/relu_1/Relu;" + add + product + "net_1/norm_1/batchnorm/sub;"
    bias = "net_1/depthwise_1/BiasAdd;net_1/depthwise_1/depthwise;net_1/depthwise_1/Squeeze;"
    dense, matmul = "net_1/logits_1/BiasAdd;", "net_1/logits_1/MatMul;"
    kernels = product + "net_1/depthwise_1/depthwise;" + matmul
    others = "net_1/pool_1/" + 8 * "x" + ";"
    assert found.letters == len(2 * (first + bias + dense) + matmul + kernels + others)


def test_a_convolution_with_its_swish_has_one_kernel_and_equal_biases_are_stored_once() -> None:
    def payload(**options: object) -> tuple[int, int]:
        x = inputs = keras.Input((8, 8, 4))
        for _ in range(3):
            x = layers.Conv2D(4, 3, padding="same", **options)(x)
        found = anatomy(Selection(te.trace(keras.Model(inputs, x))))
        return found.kernels, found.payload_bytes

    assert payload(activation="silu") == payload() == (3, 3 * (4 * 4 * 9 + 28 * 4))
    assert payload(use_bias=False) == (3, 3 * (4 * 4 * 9 + 28 * 4) - 2 * 4 * 4)


def test_a_plan_is_estimated_as_the_model_that_it_makes() -> None:
    model = net()
    plan = te.plan(model, budget=te.Budget(tflite_bytes=0.8))
    unpruned, small = (
        tflite_bytes(Selection(te.trace(each))) for each in (model, te.prune(model, plan))
    )
    assert tflite_bytes(Selection(te.trace(model), plan)) == small
    assert small <= 0.8 * unpruned


def test_an_open_variant_holds_its_file_its_packed_weights_and_its_activations() -> None:
    model = te.zoo.build("resnet8", input_shape=(32, 32, 3), classes=10)
    selection = Selection(te.trace(model))
    held = resident_bytes(selection)
    assert held > tflite_bytes(selection) + model.count_params() + te.cost(model).peak_bytes
    budget = te.Budget(resident_bytes=0.6)
    plan = te.plan(model, budget=budget)
    assert resident_bytes(Selection(te.trace(model), plan)) <= 0.6 * held
    with pytest.raises(te.errors.BudgetError, match="resident_bytes"):
        te.plan(model, budget=te.Budget(resident_bytes=1000))
