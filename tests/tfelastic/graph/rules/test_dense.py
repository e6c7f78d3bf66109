"""Fully connected layers, by law 2."""

import pytest
from keras import layers

from tests.support.pruning_checks import assert_frozen, assert_law2, net

TAILS = {
    "after_flatten": lambda x: layers.Dense(6, name="tested")(layers.Flatten()(x)),
    "after_pooling": lambda x: layers.Dense(6, name="tested")(layers.GlobalMaxPooling2D()(x)),
    "at_every_position": lambda x: layers.Dense(6, name="tested")(x),
    "no_bias": lambda x: layers.Dense(6, use_bias=False, activation="tanh", name="tested")(x),
}


@pytest.mark.parametrize("tail", TAILS)
def test_dense_mixes_channels_and_makes_new_ones(tail: str) -> None:
    graph = assert_law2(net(TAILS[tail]), prunable=("maker", "tested"))
    assert graph.group("tested").size == 6


def test_dense_along_positions_freezes_the_channels_beside_them_but_is_counted() -> None:
    """A token mixer: the counted multiplications must not be lost with the rule."""
    model = net(lambda x: layers.Dense(6, name="mixer")(layers.Permute((1, 3, 2))(x)))
    assert_frozen(model, "maker", "do not lie along axis 3")
