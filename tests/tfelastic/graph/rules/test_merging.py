"""Layers and operations that bring several tensors together, by law 2."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from keras import layers, ops

import tfelastic as te
from tests.support.pruning_checks import CHANNELS, assert_frozen, assert_law2, net

MERGES = {
    "add": layers.Add(),
    "subtract": layers.Subtract(),
    "multiply": layers.Multiply(),
    "average": layers.Average(),
    "maximum": layers.Maximum(),
    "minimum": layers.Minimum(),
    "plus": lambda xs: xs[0] + xs[1],
    "minus": lambda xs: xs[0] - xs[1],
    "times": lambda xs: xs[0] * xs[1],
    "divided": lambda xs: xs[0] / (xs[1] * xs[1] + 1.0),
    "power": lambda xs: ops.abs(xs[0] + 0.1) ** 2.0 + xs[1],
    "ops_maximum": lambda xs: ops.maximum(xs[0], xs[1]),
    "where": lambda xs: ops.where(ops.greater(xs[0], 0.0), xs[0], xs[1]),
    "stack": lambda xs: ops.max(ops.stack(xs, axis=1), axis=1),
    "stack_behind_channels": lambda xs: ops.mean(ops.stack(xs, axis=-1), axis=-1),
}


def two_branches(merge: Callable[[Any], Any], *others: int) -> Callable[[Any], Any]:
    def part(x: Any) -> Any:
        branches = [layers.Conv2D(n, 3, padding="same") for n in others or (CHANNELS,)]
        return merge([x, *(branch(x) for branch in branches)])

    return part


@pytest.mark.parametrize("name", MERGES)
def test_merge_couples_its_operands(name: str) -> None:
    graph = assert_law2(net(two_branches(MERGES[name])))
    assert any(member.layer.startswith("conv2d") for member in graph.group("maker").members)


def squeeze_excite(keepdims: bool) -> Callable[[Any], Any]:
    def part(x: Any) -> Any:
        gate = layers.GlobalAveragePooling2D(keepdims=keepdims)(x)
        gate = layers.Dense(4, activation="relu", name="squeeze")(gate)
        gate = layers.Dense(CHANNELS, activation="sigmoid", name="excite")(gate)
        if not keepdims:
            gate = layers.Reshape((1, 1, CHANNELS))(gate)
        return layers.Multiply()([x, gate])

    return part


@pytest.mark.parametrize("keepdims", [True, False])
def test_squeeze_and_excite_is_coupled_by_broadcasting(keepdims: bool) -> None:
    graph = assert_law2(net(squeeze_excite(keepdims)), prunable=("maker", "squeeze"))
    assert "excite" in {member.layer for member in graph.group("maker").members}


def test_merge_of_unequal_ranks_repeats_the_smaller() -> None:
    def part(x: Any) -> Any:
        gate = layers.Dense(CHANNELS, name="gate")(layers.GlobalAveragePooling2D()(x))
        return layers.Multiply()([x, layers.Reshape((1, CHANNELS))(gate)])

    assert_law2(net(part))


def test_stack_gates_branches_by_a_softmax_over_them() -> None:
    """As selective kernels do."""

    def part(x: Any) -> Any:
        gates = [layers.Conv2D(CHANNELS, 1)(x) for _ in range(2)]
        weights = ops.softmax(ops.stack(gates, axis=1), axis=1)
        return weights[:, 0] * x + weights[:, 1] * layers.Conv2D(CHANNELS, 1)(x)

    assert_law2(net(part))


def test_stack_of_samples_freezes_the_channels() -> None:
    graph = te.trace(net(two_branches(lambda xs: ops.stack(xs, axis=0)[0])))
    assert "it stacks along the batch" in graph.group("maker").frozen[0]


def test_spatial_gate_must_live_and_frees_the_channels() -> None:
    """A mask of one channel meets every channel of the other tensor."""

    def part(x: Any) -> Any:
        return x * layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="mask")(x)

    assert_frozen(net(part), "mask", "repeats it over all channels")
    assert_law2(net(part), prunable=("maker",))


@pytest.mark.parametrize(
    "concatenate", [layers.Concatenate(), lambda xs: ops.concatenate(xs, axis=-1)]
)
def test_concatenation_keeps_offsets(concatenate: Callable[[Any], Any]) -> None:
    graph = assert_law2(net(two_branches(concatenate, 4, 6)))
    reader = {
        m.ranges for g in graph.groups for m in g.members if (m.layer, m.axis) == ("reader", 2)
    }
    assert reader == {((0, 8),), ((8, 12),), ((12, 18),)}


def test_concatenation_with_itself_moves_both_halves_together() -> None:
    assert_law2(net(lambda x: layers.Concatenate()([x, x])))


def test_concatenation_of_images_side_by_side_couples_them() -> None:
    graph = assert_law2(net(two_branches(layers.Concatenate(axis=1))))
    assert any(member.layer.startswith("conv2d") for member in graph.group("maker").members)


def test_concatenation_then_addition_splits_a_layer_into_ranges() -> None:
    def part(x: Any) -> Any:
        both = layers.Concatenate()([x, layers.Conv2D(4, 3, padding="same", name="small")(x)])
        return layers.Add()([both, layers.Conv2D(12, 1, name="wide")(x)])

    graph = assert_law2(net(part), prunable=("maker", "small"))
    assert {m.ranges for m in graph.group("small").members if m.layer == "wide"} == {((8, 12),)}


def test_constant_array_freezes_the_channels() -> None:
    graph = te.trace(net(lambda x: x * np.linspace(0.5, 1.5, CHANNELS)))
    assert "takes a constant array" in graph.group("maker").frozen[0]


def test_adding_the_input_freezes_the_channels() -> None:
    def part(x: Any) -> Any:
        return layers.Add()([layers.Conv2D(4, 1, name="tested")(x), ops.ones_like(x)[..., :4]])

    assert_frozen(net(part), "tested", "no channels of a weight")


def test_channel_shuffle_couples_what_it_exchanges() -> None:
    """Reshape, transpose and reshape back, as ShuffleNet does."""

    def part(x: Any) -> Any:
        size = x.shape[1]
        x = layers.Reshape((size, size, 2, CHANNELS // 2))(x)
        x = layers.Permute((1, 2, 4, 3))(x)
        return layers.Reshape((size, size, CHANNELS))(x)

    assert_law2(net(part))
