"""Convolutions of every kind, by law 2."""

import keras
import pytest
from keras import layers

from tests.support.pruning_checks import assert_frozen, assert_law2, net

KINDS = {
    "plain": (2, lambda: layers.Conv2D(6, 3, name="tested")),
    "strides": (2, lambda: layers.Conv2D(6, 3, strides=2, padding="same", name="tested")),
    "dilation": (2, lambda: layers.Conv2D(6, 2, dilation_rate=2, name="tested")),
    "no_bias": (2, lambda: layers.Conv2D(6, 3, use_bias=False, name="tested")),
    "activation": (2, lambda: layers.Conv2D(6, 3, activation="gelu", name="tested")),
    "one_dimension": (1, lambda: layers.Conv1D(6, 3, name="tested")),
    "causal": (1, lambda: layers.Conv1D(6, 3, padding="causal", dilation_rate=2, name="tested")),
    "three_dimensions": (3, lambda: layers.Conv3D(6, 2, strides=2, name="tested")),
    "separable": (2, lambda: layers.SeparableConv2D(6, 3, depth_multiplier=2, name="tested")),
    "separable_1d": (1, lambda: layers.SeparableConv1D(6, 3, strides=2, name="tested")),
    "transposed": (2, lambda: layers.Conv2DTranspose(6, 3, strides=2, name="tested")),
    "transposed_1d": (1, lambda: layers.Conv1DTranspose(6, 3, name="tested")),
    "transposed_3d": (3, lambda: layers.Conv3DTranspose(6, 2, use_bias=False, name="tested")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_convolution_makes_a_group_of_its_own(kind: str) -> None:
    rank, make = KINDS[kind]
    graph = assert_law2(net(make(), rank=rank, size=5), prunable=("maker", "tested"))
    assert graph.group("tested").size == 6


DEPTHWISE = {
    "plain": (2, lambda: layers.DepthwiseConv2D(3, name="tested")),
    "multiplier": (2, lambda: layers.DepthwiseConv2D(2, depth_multiplier=3, name="tested")),
    "no_bias": (2, lambda: layers.DepthwiseConv2D(3, use_bias=False, name="tested")),
    "activation": (2, lambda: layers.DepthwiseConv2D(3, activation="relu6", name="tested")),
    "one_dimension": (1, lambda: layers.DepthwiseConv1D(3, depth_multiplier=2, name="tested")),
}


@pytest.mark.parametrize("kind", DEPTHWISE)
def test_depthwise_convolution_goes_along_with_its_input(kind: str) -> None:
    rank, make = DEPTHWISE[kind]
    graph = assert_law2(net(make(), rank=rank))
    assert "tested" in {member.layer for member in graph.group("maker").members}


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_grouped_convolution_drops_whole_groups(rank: int) -> None:
    conv = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}[rank]
    graph = assert_law2(net(conv(12, 2, groups=4, name="tested"), rank=rank, size=4))
    group = graph.group("maker")
    assert (group.size, group.channels) == (4, 2)
    assert "tested" in {member.layer for member in group.members}


def test_grouped_convolution_of_fixed_inputs_is_frozen() -> None:
    inputs = keras.Input((6, 6, 4))
    x = layers.Conv2D(8, 3, groups=2, name="grouped")(inputs)
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    assert_frozen(model, "grouped", "no channels of a weight")


def test_convolution_called_twice_makes_the_same_channels_twice() -> None:
    shared = layers.Conv2D(8, 3, padding="same", name="shared")
    graph = assert_law2(net(lambda x: shared(shared(x))), prunable=("maker",))
    assert {"maker", "shared"} <= {member.layer for member in graph.group("maker").members}


def test_convolution_with_softmax_inside_is_frozen() -> None:
    model = net(layers.Conv2D(6, 3, activation="softmax", name="tested"))
    assert_frozen(model, "tested", "'softmax', which may look across channels")


def test_convolution_with_a_function_of_the_users_is_pruned_as_the_function_computes() -> None:
    def swap(x):
        return keras.ops.flip(x, -1)

    model = net(layers.Conv2D(6, 3, activation=swap, name="tested"))
    graph = assert_law2(model, prunable=("maker", "tested"))
    assert not graph.group("tested").permutable


def test_low_rank_adapter_is_opaque() -> None:
    tested = layers.Conv2D(6, 3, name="tested")
    model = net(tested)
    tested.enable_lora(2)
    graph = assert_frozen(model, "maker", "has a LoRA adapter")
    assert graph.steps[1].opaque
