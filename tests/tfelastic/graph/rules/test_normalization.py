"""Normalizations, by law 2."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.support.pruning_checks import CHANNELS, assert_frozen, assert_law2, net

ALONG = {
    "batch": lambda: layers.BatchNormalization(),
    "batch_no_scale": lambda: layers.BatchNormalization(scale=False),
    "batch_no_center": lambda: layers.BatchNormalization(center=False),
    "layer_over_positions": lambda: layers.LayerNormalization(axis=(1, 2)),
    "groups_of_one": lambda: layers.GroupNormalization(groups=-1),
}


@pytest.mark.parametrize("name", ALONG)
def test_normalization_apart_from_channels_goes_along(name: str) -> None:
    assert_law2(net(ALONG[name]()))


def test_batch_normalization_belongs_to_its_group_with_every_weight() -> None:
    graph = assert_law2(net(layers.BatchNormalization(name="bn")))
    names = {member.variable for member in graph.group("maker").members if member.layer == "bn"}
    assert names == {"gamma", "beta", "moving_mean", "moving_variance"}


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_group_normalization_drops_whole_groups(groups: int) -> None:
    graph = assert_law2(net(layers.GroupNormalization(groups)))
    assert (graph.group("maker").size, graph.group("maker").channels) == (
        groups,
        CHANNELS // groups,
    )


ACROSS = {
    "layer": lambda: layers.LayerNormalization(name="norm"),
    "layer_over_all": lambda: layers.LayerNormalization(axis=(1, 2, 3), name="norm"),
    "unit": lambda: layers.UnitNormalization(name="norm"),
    "root_mean_square": lambda: layers.RMSNormalization(name="norm"),
}


@pytest.mark.parametrize("name", ACROSS)
def test_normalization_over_channels_freezes_them(name: str) -> None:
    assert_frozen(net(ACROSS[name]()), "maker", "norm normalises over them")


def test_one_group_normalises_over_all_channels() -> None:
    graph = assert_law2(net(layers.GroupNormalization(1)), prunable=())
    assert graph.group("maker").size == 1


def test_adapted_normalization_of_the_input_is_carried_over() -> None:
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(0).normal(3.0, 2.0, (32, 6, 6, 3)))
    inputs = keras.Input((6, 6, 3))
    x = layers.Flatten()(layers.Conv2D(8, 3, name="maker")(normalization(inputs)))
    assert_law2(keras.Model(inputs, layers.Dense(3)(x)))


def test_normalization_inside_the_net_freezes_the_channels() -> None:
    steps = np.arange(CHANNELS) / CHANNELS
    constants = {"mean": steps - 0.5, "variance": steps + 0.5}
    model = net(layers.Normalization(**constants))
    assert_frozen(model, "maker", "has a constant mean and variance per channel")
