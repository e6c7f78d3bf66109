"""Layers and operations that move values, by law 2."""

from typing import Any

import pytest
from keras import layers, ops

from tests.support.pruning_checks import CHANNELS, assert_frozen, assert_law2, net

SIZE = 5  # of the maker's images

MOVES = {
    "flatten": lambda x: layers.Flatten()(x),
    "reshape_to_sequence": lambda x: layers.Reshape((SIZE * SIZE, CHANNELS))(x),
    "reshape_unknown_length": lambda x: layers.Reshape((-1, CHANNELS))(x),
    "reshape_unknown_channels": lambda x: layers.Reshape((SIZE * SIZE, -1))(x),
    "reshape_operation": lambda x: ops.reshape(x, (-1, SIZE * SIZE, CHANNELS)),
    "flatten_and_back": lambda x: layers.Reshape((SIZE, SIZE, CHANNELS))(layers.Flatten()(x)),
    "permute": lambda x: layers.Permute((2, 1, 3))(x),
    "permute_channels_first": lambda x: layers.Permute((2, 3, 1))(layers.Permute((3, 1, 2))(x)),
    "transpose": lambda x: ops.transpose(x, (0, 2, 1, 3)),
    "transpose_then_flatten": lambda x: layers.Flatten()(ops.transpose(x, (0, 3, 1, 2))),
    "move_axis": lambda x: layers.Flatten()(ops.moveaxis(x, -1, 1)),
    "swap_axes": lambda x: ops.swapaxes(x, 1, 2),
    "flip_images": lambda x: ops.flip(x, (1, 2)),
    "flip_channels": lambda x: ops.flip(x, -1),
    "expand_and_squeeze": lambda x: ops.squeeze(ops.expand_dims(x, 1), 1),
    "mean": lambda x: ops.mean(x, (1, 2)),
    "max_keeping_axes": lambda x: ops.max(x, (1, 2), keepdims=True),
    "slice_of_positions": lambda x: x[:, 1:-1, ::2],
    "one_row": lambda x: x[:, 0],
    "ellipsis_at_the_end": lambda x: x[:, 1:, ...],
    "ellipsis_in_the_middle": lambda x: x[:, ..., 2, :],
    "new_axis": lambda x: layers.Reshape((SIZE, SIZE, CHANNELS))(x[:, None]),
    "new_axis_and_row": lambda x: x[:, None, -1, ::-1],
    "pad_positions": lambda x: ops.pad(x, ((0, 0), (1, 1), (0, 2), (0, 0)), mode="reflect"),
    "pad_channels": lambda x: ops.pad(x, ((0, 0), (0, 0), (0, 0), (2, 3))),
    "repeat_vector": lambda x: layers.RepeatVector(4)(layers.GlobalMaxPooling2D()(x)),
    "split": lambda x: ops.add(*ops.split(x, 2, axis=-1)),
    "split_at": lambda x: layers.Concatenate()(ops.split(x, [3, 5], axis=-1)[::-1]),
    "split_positions": lambda x: ops.split(x, [2], axis=1)[0],
}


@pytest.mark.parametrize("name", MOVES)
def test_channels_are_followed(name: str) -> None:
    assert_law2(net(MOVES[name]))


def test_flatten_repeats_a_group_for_every_position() -> None:
    graph = assert_law2(net(layers.Flatten()))
    ranges = {m.ranges for m in graph.group("maker").members if m.layer == "logits"}
    assert ranges == {tuple((n * CHANNELS, (n + 1) * CHANNELS) for n in range(SIZE * SIZE))}


def test_dense_reshaped_to_images_drops_whole_images() -> None:
    def part(x: Any) -> Any:
        x = layers.Dense(3 * 3 * 6, name="wide")(layers.Flatten()(x))
        return layers.Reshape((3, 3, 6))(x)

    graph = assert_law2(net(part), prunable=("maker", "wide"))
    assert (graph.group("wide").size, graph.group("wide").channels) == (6, 9)


FREEZING = {
    "slice_of_channels": (lambda x: x[..., :4], "slices them by position"),
    "slice_of_channels_by_axis": (lambda x: x[:, :, :, :4], "slices them by position"),
    "slice_of_samples": (lambda x: x[:1, :], "it slices the batch"),
    "mean_over_channels": (lambda x: ops.mean(x, -1, keepdims=True), "reduces over the channels"),
    "reflected_channels": (
        lambda x: ops.pad(x, ((0, 0), (0, 0), (0, 0), (2, 2)), mode="reflect"),
        "repeats some by position",
    ),
    "fold_into_positions": (lambda x: layers.Reshape((SIZE * SIZE * 2, CHANNELS // 2))(x), ""),
    "roll": (lambda x: ops.roll(x, 1, axis=-1), "Roll has no rule"),
    "lambda": (lambda x: layers.Lambda(lambda t: t * 2.0, name="double")(x), "Lambda has no rule"),
}


@pytest.mark.parametrize("name", [name for name in FREEZING if name != "fold_into_positions"])
def test_what_names_positions_freezes_the_channels(name: str) -> None:
    part, reason = FREEZING[name]
    assert_frozen(net(part), "maker", reason)


def test_channels_folded_into_positions_are_coupled() -> None:
    graph = assert_law2(net(FREEZING["fold_into_positions"][0]))
    assert (graph.group("maker").size, graph.group("maker").channels) == (4, 2)
