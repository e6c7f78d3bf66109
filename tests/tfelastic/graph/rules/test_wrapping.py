"""Layers around another layer, by laws 2 and 4."""

from typing import Any

import keras
import pytest
from keras import layers

import tfelastic as te
from tests.support.pruning_checks import CHANNELS, assert_frozen, assert_law2, net
from tests.support.weights import randomize

INNER = {
    "dense": lambda: layers.Dense(6, activation="relu"),
    "convolution": lambda: layers.Conv1D(6, 2, padding="same"),
    "depthwise": lambda: layers.DepthwiseConv1D(2),
    "normalization": lambda: layers.BatchNormalization(),
    "both directions": lambda: layers.Bidirectional(layers.GRU(4, return_sequences=True)),
}


@pytest.mark.parametrize("name", INNER)
def test_the_wrapped_layers_rule_holds_at_every_moment(name: str) -> None:
    assert_law2(net(layers.TimeDistributed(INNER[name](), name="each"), size=4))


def test_channels_along_time_are_not_followed() -> None:
    def part(x: Any) -> Any:
        x = layers.Permute((3, 1, 2))(x)
        return layers.Permute((2, 3, 1))(layers.TimeDistributed(layers.Dense(5))(x))

    assert_frozen(net(part, size=6), "maker", "channels lie along the axis of time")


def test_a_repeated_model_stays_but_is_counted() -> None:
    inner = keras.Sequential([keras.Input((5, CHANNELS)), layers.Conv1D(4, 1), layers.Flatten()])
    model = randomize(net(layers.TimeDistributed(inner, name="each")))
    graph = te.trace(model)
    assert any("wrap each of the model's layers" in each for each in graph.group("maker").frozen)
    (layer,) = [each for each in te.cost(model).layers if each.path == "each"]
    assert layer.macs == 5 * 5 * CHANNELS * 4
