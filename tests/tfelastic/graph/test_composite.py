"""Layers made of layers: opened where the graph of what they call says all, else one opaque layer with its reason."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import tfelastic as te
from tests.support.inference import random_inputs, run
from tests.support.oracles import difference, masked
from tests.support.pruning_checks import assert_law2, net, some_plan
from tests.support.weights import randomize

register = keras.saving.register_keras_serializable("tests.composite")


def conv(filters: int, **options: Any) -> layers.Layer:
    return layers.Conv2D(filters, 3, padding="same", **options)


@register
class ResidualBlock(layers.Layer):
    """The usual block of one's own: sublayers, a Sequential among them, and operations."""

    def __init__(self, filters: int, **options: Any) -> None:
        super().__init__(**options)
        self.filters = filters
        self.first, self.norm = conv(filters, use_bias=False), layers.BatchNormalization()
        self.body = keras.Sequential([conv(filters), layers.ReLU(), layers.Dropout(0.5)])
        self.short = layers.Conv2D(filters, 1, name="shortcut")

    def build(self, shape: Any) -> None:
        inside = (*shape[:-1], self.filters)
        self.first.build(shape), self.norm.build(inside), self.body.build(inside)
        self.short.build(shape)

    def call(self, x: Any, training: bool = False) -> Any:
        y = ops.relu(self.norm(self.first(x), training=training))
        return ops.relu(self.body(y, training=training) + self.short(x))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


@register
class Stage(keras.Model):
    """A subclassed model in the place of a layer, with blocks inside, one of them called twice."""

    def __init__(self, filters: int, **options: Any) -> None:
        super().__init__(**options)
        self.filters = filters
        self.blocks = [ResidualBlock(filters), ResidualBlock(filters)]

    def call(self, x: Any) -> Any:
        x = self.blocks[1](self.blocks[0](x))
        return {"deep": self.blocks[1](x), "shallow": x}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


@register
class Fusion(layers.Layer):
    """Two inputs, the second by name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.left, self.right = conv(6), conv(6)

    def build(self, shape: Any) -> None:
        self.left.build(shape), self.right.build(shape)

    def call(self, x: Any, other: Any = None, scale: float = 1.0) -> Any:
        return self.left(x) * scale + self.right(other)


@register
class InOwnModel(keras.Model):
    """A functional model that runs its graph in a way of its own."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        return 2.0 * super().call(inputs, training=training)


def stage(x: Any) -> Any:
    found = Stage(6)(x)
    return layers.Concatenate()([found["deep"], found["shallow"]])


def fusion(x: Any) -> Any:
    return Fusion()(x, other=layers.ReLU()(x), scale=0.5)


def called_twice(x: Any) -> Any:
    block = ResidualBlock(8)
    return block(block(x))


def at_two_sizes(x: Any) -> Any:
    x = layers.Conv2D(6, 1)(x)
    block = Fusion()
    y = layers.MaxPooling2D(2)(block(x, other=x))
    return block(y, other=layers.ReLU()(y))


def own_model(x: Any) -> Any:
    inputs = keras.Input(x.shape[1:])
    return InOwnModel(inputs, conv(4)(conv(6)(inputs)))(x)


OPENED = {
    "block": lambda x: ResidualBlock(6)(x),
    "stage": stage,
    "fusion": fusion,
    "called twice": called_twice,
    "called at two sizes": at_two_sizes,
    "model with a call of its own": own_model,
}


@pytest.mark.parametrize("name", OPENED)
def test_channels_inside_are_pruned(name: str) -> None:
    model = net(OPENED[name])
    graph = assert_law2(model)
    assert not [step.path for step in graph.steps if step.opaque]
    assert any("/" in member.layer for group in graph.prunable for member in group.members)
    batch = random_inputs(model)
    same = te.prune(model, te.KeepPlan(graph.fingerprint))
    assert difference(run(model, batch), run(same, batch)) == 0


def test_tracing_leaves_no_calls_in_the_users_layers() -> None:
    model = net(OPENED["stage"])
    before = [len(layer._inbound_nodes) for layer in model._flatten_layers()]
    te.trace(model)
    assert before == [len(layer._inbound_nodes) for layer in model._flatten_layers()]


@pytest.mark.parametrize("name", ["block", "stage", "fusion"])
def test_a_loaded_model_has_the_same_plans(name: str, tmp_path: Path) -> None:
    model = randomize(net(OPENED[name]))
    model.save(tmp_path / "model.keras")
    net(OPENED[name])  # Layers built in between shift the numbers in Keras' names.
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    graph, again = te.trace(model), te.trace(loaded)
    assert str(again) == str(graph)
    plan, batch = some_plan(graph), random_inputs(model)
    pruned = te.prune(loaded, plan)
    assert difference(masked(graph, plan, batch), run(pruned, batch)) < 1e-9
    pruned.save(tmp_path / "pruned.keras")
    twice = keras.saving.load_model(tmp_path / "pruned.keras")
    assert difference(run(pruned, batch), run(twice, batch)) == 0
    assert [g.name for g in te.trace(twice).groups] == [g.name for g in graph.groups]


@pytest.mark.parametrize("name", ["block", "stage"])
def test_every_rung_of_an_elastic_network(name: str, tmp_path: Path) -> None:
    model = randomize(net(OPENED[name]))
    graph, batch = te.trace(model), random_inputs(model)
    elastic = te.ElasticModel(model, te.ladder(model, widths=(1, 0.5), round_to=1))
    elastic.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    for rung in elastic.ladder.rungs:
        outputs = run(elastic.rung(rung.name), batch)
        assert difference(outputs, run(elastic.cut(rung.name), batch)) == 0
        assert difference(outputs, run(loaded.rung(rung.name), batch)) < 1e-9
    plan = te.ladder(model, widths=(1, 0.5), round_to=1).rungs[1].plan
    assert difference(masked(graph, plan, batch), run(elastic.rung("w050"), batch)) < 1e-9


def test_training_is_the_layers_own() -> None:
    """Batch statistics are used and kept, and dropout drops, as in the layer that was opened."""
    model = randomize(net(OPENED["block"]))
    same = te.prune(model, te.KeepPlan(te.trace(model).fingerprint))
    images = random_inputs(model, count=8)[0]
    for each in (model, same):
        for layer in each._flatten_layers():
            if isinstance(layer, layers.Dropout):
                layer.rate = 0.0
        each.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=True)
        each.fit(images, np.zeros((8, 3)), shuffle=False, verbose=0)
    for one, other in zip(model.weights, same.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_dropout_inside_acts_in_training_alone() -> None:
    model = randomize(net(OPENED["block"]))
    same = te.prune(*_keep_all(model))
    (images,) = random_inputs(same, count=4)
    np.testing.assert_array_equal(same(images, training=False), model(images, training=False))
    norm = next(layer for layer in same._flatten_layers() if hasattr(layer, "momentum"))
    norm.momentum = 1.0  # So that the statistics stay, and dropout alone makes the calls differ.
    assert not np.allclose(same(images, training=True), same(images, training=True))


def test_frozen_layers_stay_frozen() -> None:
    model = net(lambda x: ResidualBlock(6, name="block")(x))
    for frozen in (False, True):
        model.get_layer("block").trainable = not frozen
        same = te.prune(*_keep_all(model))
        assert len(same.trainable_variables) == len(model.trainable_variables)


class WithWeights(ResidualBlock):
    def build(self, shape: Any) -> None:
        super().build(shape)
        self.gain = self.add_weight(shape=(), initializer="ones")

    def call(self, x: Any, training: bool = False) -> Any:
        return super().call(x) * self.gain


class OtherInTraining(ResidualBlock):
    def call(self, x: Any, training: bool = False) -> Any:
        return self.short(x) if training else super().call(x)


class AlwaysAtInference(ResidualBlock):
    def call(self, x: Any, training: bool = False) -> Any:
        return self.norm(self.first(x), training=False) + self.body(self.short(x))


class WithUnusedPart(ResidualBlock):
    def call(self, x: Any, training: bool = False) -> Any:
        return self.short(x)


class Penalized(ResidualBlock):
    def call(self, x: Any, training: bool = False) -> Any:
        y = super().call(x)
        self.add_loss(ops.mean(y))
        return y


class BySize(ResidualBlock):
    """Computes something else on small images."""

    def call(self, x: Any, training: bool = False) -> Any:
        y = super().call(x)
        return y if x.shape[1] > 3 else ops.relu(y) * 0.5


CLOSED = [WithWeights, OtherInTraining, AlwaysAtInference, WithUnusedPart, Penalized]


@pytest.mark.parametrize("kind", CLOSED)
def test_what_no_graph_says_in_full_stays_one_opaque_layer(kind: type[ResidualBlock]) -> None:
    model = randomize(net(lambda x: register(kind)(6, name="closed")(x)))
    graph = te.trace(model)
    assert [step.path for step in graph.steps if step.opaque] == ["closed"]
    assert graph.group("maker").frozen[0].startswith("closed is opaque")
    batch = random_inputs(model)
    same = te.prune(model, te.KeepPlan(graph.fingerprint))
    assert difference(run(model, batch), run(same, batch)) == 0


def test_a_layer_that_computes_something_else_at_another_place_stays_closed() -> None:
    block = register(BySize)(8, name="closed")
    model = randomize(net(lambda x: block(layers.MaxPooling2D(2)(block(x)))))
    graph = te.trace(model)
    assert {step.path for step in graph.steps if step.opaque} == {"closed"}
    batch = random_inputs(model)
    same = te.prune(model, te.KeepPlan(graph.fingerprint))
    assert difference(run(model, batch), run(same, batch)) == 0


def test_a_rule_of_the_users_own_comes_first() -> None:
    class Ruled(ResidualBlock):
        pass

    @te.rule(Ruled)
    def ruled(call: te.graph.LayerCall) -> Any:
        call.freeze(call.inputs[0].labels, "is described by a rule")
        return call.fixed()

    graph = te.trace(net(lambda x: Ruled(6, name="ruled")(x)))
    assert [step.path for step in graph.steps if step.path.startswith("ruled")] == ["ruled"]
    assert "described by a rule" in graph.group("maker").frozen[0]


def test_a_budget_names_the_layers_that_stay_closed() -> None:
    model = net(lambda x: register(WithWeights)(64, name="closed")(x))
    assert te.cost(model).macs > 300_000
    with pytest.raises(te.errors.BudgetError, match="no rule describes closed"):
        te.plan(model, budget=te.Budget(macs=0.2))


def _keep_all(model: keras.Model) -> tuple[keras.Model, te.KeepPlan]:
    return model, te.KeepPlan(te.trace(model).fingerprint)
