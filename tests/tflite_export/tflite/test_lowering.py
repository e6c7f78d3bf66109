"""The operations that the cost model expects, against those of converted files."""

from collections import Counter

import keras
import numpy as np
import pytest

import tfelastic as te
import tflite_export as tx
from tests.support.weights import randomize
from tfelastic._cost import lower
from tfelastic._plan import Selection
from tflite_export.tflite import operators

layers = keras.layers


def test_a_rectified_sum_is_not_rectified_again_where_a_block_goes() -> None:
    model = te.zoo.build("resnet20", input_shape=(16, 16, 3), classes=4, seed=0)
    randomize(model, seed=1)
    graph = te.trace(model)
    samples = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    for removed in [(), (graph.blocks[0].name,), tuple(block.name for block in graph.blocks)]:
        pruned = te.prune(model, te.KeepPlan(graph.fingerprint, removed=removed))
        found = Counter(each.name for each in operators(tx.convert(pruned, samples=samples)))
        assert Counter(each.kind for each in lower(Selection(te.trace(pruned))).operations) == found


def test_equal_activations_and_poolings_of_one_tensor_are_one() -> None:
    image = keras.Input((16, 16, 8))
    x = layers.Conv2D(8, 3)(image)
    rectified = [layers.Conv2D(4, 1)(layers.ReLU()(x)) for _ in range(2)]
    gates = [layers.Conv2D(4, 1)(layers.Activation(name)(image)) for name in ("tanh", "sigmoid")]
    pooled = [
        layers.Conv2D(4, 1)(layers.ReLU()(layers.AveragePooling2D(size, strides=2)(image)))
        for size in (2, 2, 3)
    ]
    outputs = [layers.GlobalMaxPooling2D()(each) for each in (*rectified, *gates, *pooled)]
    model = randomize(keras.Model(image, outputs), seed=0)
    found = Counter(each.name for each in operators(tx.convert(model, scheme="float32")))
    lowered = lower(Selection(te.trace(model)))
    assert Counter(each.kind for each in lowered.operations) == found
    assert (found["AVERAGE_POOL_2D"], found["RELU"]) == (2, 0)


@pytest.mark.parametrize(
    ("scaling", "operations"),
    [
        ({"scale": 1 / 255}, ["CONV_2D"]),
        ({"scale": 1 / 127.5, "offset": -1.0}, ["MUL", "ADD", "CONV_2D"]),
        ({"scale": [0.01, 0.02, 0.02], "offset": [-2.1, -2, -1.8]}, ["MUL", "ADD", "CONV_2D"]),
    ],
)
def test_a_scaling_of_the_image_costs_nothing_where_it_adds_nothing(
    scaling: dict[str, object], operations: list[str]
) -> None:
    image = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(**scaling)(image)
    model = keras.Model(image, keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x))
    samples = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    found = [each.name for each in operators(tx.convert(model, samples=samples))]
    assert found == operations
    assert [each.kind for each in lower(Selection(te.trace(model))).operations] == found
