"""What a plan means for an axis: kept positions, run by run."""

import keras
from keras import layers

import tfelastic as te
from tfelastic._plan import Selection


def positions(
    model: keras.Model, keep: dict[str, tuple[int, ...]], layer: str, axis: int
) -> list[int]:
    graph = te.trace(model)
    selection = Selection(graph, te.KeepPlan(graph.fingerprint, keep))
    for facts in graph.facts.values():
        for binding in facts.bindings.values():
            if facts.path == layer and binding.variable.name == "kernel" and binding.axis == axis:
                return selection.take(binding.labels).tolist()
    raise AssertionError(layer)


def test_flatten_keeps_a_union_of_prefixes_pixel_by_pixel() -> None:
    model = keras.Sequential(
        [
            keras.Input((1, 2, 3)),
            layers.Conv2D(3, 1, name="conv"),
            layers.Flatten(),
            layers.Dense(2, name="logits"),
        ]
    )
    assert positions(model, {"conv": (2, 0)}, "logits", 0) == [2, 0, 5, 3]


def test_concatenate_keeps_each_part_at_its_offset() -> None:
    inputs = keras.Input((4, 4, 3))
    one, other = layers.Conv2D(2, 1, name="one")(inputs), layers.Conv2D(3, 1, name="other")(inputs)
    model = keras.Model(
        inputs, layers.Conv2D(2, 1, name="last")(layers.Concatenate()([one, other, one]))
    )
    assert positions(model, {"one": (1,), "other": (2, 0)}, "last", 2) == [1, 4, 2, 6]


def test_a_layer_whose_channels_go_different_ways_is_cut_range_by_range() -> None:
    inputs = keras.Input((4, 4, 3))
    one, other = layers.Conv2D(2, 1, name="one")(inputs), layers.Conv2D(3, 1, name="other")(inputs)
    both = layers.Conv2D(5, 1, name="both")(inputs)
    model = keras.Model(
        inputs, layers.Conv2D(2, 1)(layers.Add()([layers.Concatenate()([one, other]), both]))
    )
    assert [group.size for group in te.trace(model).prunable] == [2, 3]
    assert positions(model, {"one": (1,), "other": (2, 1)}, "both", 3) == [1, 4, 3]


def test_both_parts_of_a_split_keep_a_channel() -> None:
    inputs = keras.Input((4, 4, 3))
    one, other = keras.ops.split(layers.Conv2D(6, 1, name="conv")(inputs), [2], axis=-1)
    model = keras.Model(inputs, [layers.Conv2D(2, 1)(one), layers.Conv2D(2, 1)(other)])
    graph = te.trace(model)
    assert [(g.name, g.size, g.permutable) for g in graph.prunable] == [
        ("conv", 2, True),
        ("conv#2", 4, True),
    ]
    pruned = te.prune(model, te.KeepPlan(graph.fingerprint, {"conv": (1,), "conv#2": (3, 0, 1)}))
    assert [layer.kernel.shape[2] for layer in pruned.layers if hasattr(layer, "kernel")] == [
        3,
        1,
        3,
    ]
