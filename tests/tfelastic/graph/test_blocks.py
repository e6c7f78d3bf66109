"""Residual parts are found in every family by their wiring, and removing one puts its shortcut in its place.

The oracle needs no graph: a branch whose last layer's weights are all zero adds nothing to its shortcut.
"""

from collections.abc import Callable, Iterable

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

import tfelastic as te
from tests.support.inference import random_inputs, run
from tests.support.oracles import difference
from tests.support.weights import randomize
from tfelastic.graph import residuals_kept

APPS = keras.applications


def app(build: Callable[..., keras.Model], **options: object) -> keras.Model:
    return build(
        weights=None, input_shape=(32, 32, 3), classes=5, classifier_activation=None, **options
    )


def zoo(name: str, **options: object) -> keras.Model:
    return te.zoo.build(name, input_shape=(32, 32, 3), classes=5, **options)


# Blocks whose stride is 1 and whose width stays, out of all residual parts, by the papers' tables.
FAMILIES = {
    "ResNet-50": (lambda: app(APPS.ResNet50), 12, 16),
    # Keras' v2 puts each stage's stride into its last block and a projection into its first.
    "ResNet-50 v2": (lambda: app(APPS.ResNet50V2), 9, 16),
    "MobileNetV2": (lambda: app(APPS.MobileNetV2, alpha=0.35), 10, 10),
    "EfficientNet-B0": (lambda: app(APPS.EfficientNetB0), 9, 9),
    "ConvNeXt-Tiny": (lambda: app(APPS.ConvNeXtTiny, include_preprocessing=False), 18, 18),
    "zoo ResNet-20 A": (lambda: zoo("resnet20"), 7, 9),
    "zoo ResNet-20 B": (lambda: zoo("resnet20", shortcut="B"), 7, 9),
    "zoo MobileNetV2": (lambda: zoo("mobilenet_v2_cifar"), 10, 10),
}


@pytest.fixture(autouse=True)
def float64() -> None:
    """Stay in single precision, in the place of the fixture that the other tests of the graph use: nets are large."""


def unsettle(model: keras.Model) -> keras.Model:
    """Give every scale, shift and statistic a random value; kernels are random from the start."""
    random = np.random.default_rng(0)
    for layer in model.layers:
        # Normalization reads its mean when it is built, so a new one would go unnoticed.
        for variable in () if isinstance(layer, layers.Normalization) else layer.weights:
            if len(variable.shape) == 1:
                variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return model


def silence(model: keras.Model, blocks: Iterable[te.Block]) -> None:
    """Set the weights of each block's last layer to zero, so that its branch adds nothing."""
    for block in blocks:
        own = [layer for layer in model.layers if layer.name in block.layers]
        last = next(layer for layer in reversed(own) if layer.trainable_weights)
        for variable in last.trainable_weights:
            variable.assign(ops.zeros_like(variable))


@pytest.mark.parametrize("family", FAMILIES)
def test_law5_holds_for_every_family(family: str) -> None:
    build, candidates, parts = FAMILIES[family]
    keras.utils.set_random_seed(0)
    model = unsettle(build())
    graph = te.trace(model)
    assert len(graph.blocks) == candidates
    assert len(residuals_kept(graph)) == parts - candidates
    batch = random_inputs(model)
    unpruned = run(model, batch)
    pruned = te.prune(model, te.KeepPlan(graph.fingerprint, removed=names(graph)))
    silence(model, graph.blocks)
    silenced = run(model, batch)
    assert difference(silenced, run(pruned, batch)) < 1e-5
    assert difference(silenced, unpruned) > 1e-3
    assert not te.trace(pruned).blocks


def names(graph: te.LayerGraph) -> tuple[str, ...]:
    return tuple(block.name for block in graph.blocks)


def test_resnet56_has_25_blocks_out_of_27() -> None:
    graph = te.trace(zoo("resnet56"))
    assert len(graph.blocks) == 25
    assert residuals_kept(graph) == {
        "stage2_block1_add": "it starts with shape (32, 32, 16) and ends with (16, 16, 32)",
        "stage3_block1_add": "it starts with shape (16, 16, 32) and ends with (8, 8, 64)",
    }


def conv(x: keras.KerasTensor, name: str | None = None) -> keras.KerasTensor:
    return layers.Conv2D(4, 3, padding="same", name=name)(x)


def graph_of(part: Callable[[keras.KerasTensor], keras.KerasTensor]) -> te.LayerGraph:
    """Return the graph of a net with `part` between a convolution and a head."""
    inputs = keras.Input((4, 4, 3))
    x = layers.GlobalAveragePooling2D()(part(conv(inputs, "stem")))
    return te.trace(randomize(keras.Model(inputs, layers.Dense(3)(x))))


def outputs_without(graph: te.LayerGraph, *removed: str) -> list[np.ndarray]:
    plan = te.KeepPlan(graph.fingerprint, removed=removed)
    return run(te.prune(graph.model, plan), random_inputs(graph.model))


def test_a_block_within_a_block() -> None:
    def part(x: keras.KerasTensor) -> keras.KerasTensor:
        inner = layers.Add(name="inner")([x, conv(x, "one")])
        return layers.Add(name="outer")([conv(inner, "two"), x])

    graph = graph_of(part)
    assert {block.name: set(block.layers) for block in graph.blocks} == {
        "inner": {"one"},
        "outer": {"one", "inner", "two"},
    }
    both = outputs_without(graph, "inner", "outer")
    assert difference(both, outputs_without(graph, "outer")) == 0
    assert difference(both, outputs_without(graph, "inner")) > 1e-3


def test_overlapping_parts_are_both_blocks() -> None:
    """The long one spans two short ones; a layer that two branches read belongs to neither alone."""

    def part(x: keras.KerasTensor) -> keras.KerasTensor:
        first = layers.Add(name="first")([x, conv(x)])
        second = layers.Add(name="second")([first, conv(first)])
        return layers.Add(name="long")([x, second])

    assert names(graph_of(part)) == ("first", "second", "long")

    def sharing(x: keras.KerasTensor) -> keras.KerasTensor:
        both = conv(x, "both")
        one = layers.Add(name="sum")([x, conv(both, "own")])
        return layers.Concatenate()([one, both])

    (block,) = graph_of(sharing).blocks
    assert block.layers == ("own",)


def test_a_layer_that_is_shared_with_the_rest_is_no_layer_of_the_block() -> None:
    def part(x: keras.KerasTensor) -> keras.KerasTensor:
        layer = layers.Conv2D(4, 3, padding="same", name="shared")
        return layers.Add(name="sum")([layer(x), conv(layer(layer(x)), "own")])

    def block(x: keras.KerasTensor) -> keras.KerasTensor:
        layer = layers.Conv2D(4, 3, padding="same", name="shared")
        x = layer(x)
        return layers.Add(name="sum")([x, layer(conv(x, "own"))])

    assert not graph_of(part).blocks
    graph = graph_of(block)
    assert [b.layers for b in graph.blocks] == [("own",)]
    plan = te.KeepPlan(graph.fingerprint, removed=("sum",))
    assert te.cost(graph, plan).params == te.prune(graph.model, plan).count_params()


def twice(x: keras.KerasTensor) -> keras.KerasTensor:
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, layers.Add(name="sum")([inputs, conv(inputs)]), name="nested")
    return model(model(x))


def several(x: keras.KerasTensor) -> keras.KerasTensor:
    early, late = conv(x, "early"), conv(x, "late")
    return layers.Add(name="sum")([early, layers.Multiply()([conv(early), late])])


def needed(x: keras.KerasTensor) -> keras.KerasTensor:
    branch = conv(x, "branch")
    return layers.Concatenate()([layers.Add(name="sum")([x, branch]), branch])


REFUSED = {
    "called twice": (twice, "its addition is called 2 times"),
    "several origins": (several, "but also from late"),
    "nothing of its own": (needed, "needed elsewhere"),
    "a projection": (
        lambda x: layers.Add(name="sum")([conv(x, "way"), conv(conv(x))]),
        "no copy of what enters, but passes through way",
    ),
    "broadcast": (
        lambda x: layers.Add(name="sum")([x, layers.GlobalMaxPooling2D(keepdims=True)(x)]),
        "shapes (4, 4, 4) and (1, 1, 4)",
    ),
    "three operands": (
        lambda x: layers.Add(name="sum")([x, conv(x), conv(x)]),
        "a block adds two of one shape",
    ),
    "itself": (lambda x: layers.Add(name="sum")([x, x]), "adds a tensor to itself"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_block_has_a_reason(case: str) -> None:
    part, reason = REFUSED[case]
    graph = graph_of(part)
    assert not graph.blocks
    (given,) = residuals_kept(graph).values()
    assert reason in given


def test_a_sum_of_two_inputs_is_no_residual_part() -> None:
    one, other = keras.Input((3,)), keras.Input((3,))
    graph = te.trace(keras.Model([one, other], layers.Add()([one, other])))
    assert not graph.blocks
    assert not residuals_kept(graph)


def test_the_scaled_operand_of_inception_resnet_is_no_shortcut() -> None:
    def part(x: keras.KerasTensor, *, scaled_last: bool) -> keras.KerasTensor:
        both = [x, conv(x)] if scaled_last else [conv(x), x]
        return CustomScaleLayer(0.5, name="sum")(both)

    graph = graph_of(lambda x: part(x, scaled_last=True))
    (block,) = graph.blocks
    expected = outputs_without(graph, "sum")
    silence(graph.model, [block])
    assert difference(expected, run(graph.model, random_inputs(graph.model))) < 1e-6
    other = graph_of(lambda x: part(x, scaled_last=False))
    assert not other.blocks
    assert "scales" in residuals_kept(other)["sum"]


def test_an_operator_adds_as_a_layer_does() -> None:
    assert len(graph_of(lambda x: ops.relu(conv(x)) * 0.1 + x).blocks) == 1
