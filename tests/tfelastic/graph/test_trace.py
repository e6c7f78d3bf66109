"""What can be traced, what cannot, and what the errors say."""

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
from tests.support.pruning_checks import assert_law2, net
from tfelastic.errors import GraphError


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="mine")
        self.dense = layers.Dense(3, name="dense")

    def call(self, inputs):
        return self.dense(inputs)


def test_subclassed_model_is_told_what_to_do() -> None:
    with pytest.raises(GraphError, match=r"'mine' \(Subclassed\) is subclassed.*functional API"):
        te.trace(Subclassed())


def test_the_advice_for_subclassed_models_works() -> None:
    model = Subclassed()
    inputs = keras.Input((4,))
    rebuilt = keras.Model(inputs, model.call(inputs))
    assert te.trace(rebuilt).group("dense").size == 3


def test_subclassed_part_of_a_model_is_looked_into() -> None:
    inputs = keras.Input((4,))
    model = keras.Model(
        inputs, layers.Dense(2)(Subclassed()(layers.Dense(8, name="maker")(inputs)))
    )
    graph = assert_law2(model, prunable=("maker", "mine/dense"))
    assert not [step for step in graph.steps if step.opaque]


def test_unbuilt_sequential_is_told_what_to_do() -> None:
    with pytest.raises(GraphError, match=r"not built.*keras\.Input\(shape\) first"):
        te.trace(keras.Sequential([layers.Dense(3)], name="mine"))


def test_sequential_built_on_data_can_be_traced() -> None:
    model = keras.Sequential([layers.Dense(8, name="maker"), layers.Dense(3)])
    model(np.zeros((1, 4)))
    assert te.trace(model).group("maker").size == 8


def test_what_is_no_model_is_named() -> None:
    with pytest.raises(GraphError, match="received Dense"):
        te.trace(layers.Dense(3))


def test_nested_and_shared_models_obey_law_2() -> None:
    inner_in = keras.Input((5, 5, 8))
    inner = keras.Model(
        inner_in, layers.Conv2D(8, 3, padding="same", name="conv")(inner_in), name="in"
    )
    graph = assert_law2(net(lambda x: layers.Add()([x, inner(inner(x))])))
    assert "in/conv" in {member.layer for member in graph.group("maker").members}


def test_several_inputs_and_outputs_obey_law_2() -> None:
    one, two = keras.Input((6, 6, 3), name="one"), keras.Input((6, 6, 2), name="two")
    x = layers.Conv2D(8, 3, name="maker")(one)
    y = layers.Conv2D(6, 3, name="other")(two)
    z = layers.GlobalMaxPooling2D()(layers.Concatenate()([x, y]))
    outputs = {
        "a": layers.Dense(3, name="a")(z),
        "b": layers.Dense(2, name="b")(layers.Flatten()(x)),
    }
    assert_law2(keras.Model({"one": one, "two": two}, outputs), prunable=("maker", "other"))


def test_tracing_leaves_the_model_as_it_is() -> None:
    model = net(layers.BatchNormalization())
    before = model.get_weights(), model.to_json()
    te.trace(model)
    assert model.to_json() == before[1]
    assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), before[0], strict=True))


class Doubling(keras.Model):
    def call(self, inputs, training=None):
        return 2.0 * super().call(inputs, training=training)


class DoublingStack(keras.Sequential):
    def call(self, inputs, training=None, mask=None):
        return 2.0 * super().call(inputs, training=training)


def doubling(*, sequential: bool) -> keras.Model:
    inputs = keras.Input((6, 6, 8))
    conv = layers.Conv2D(8, 1, name="inner")
    return DoublingStack([inputs, conv]) if sequential else Doubling(inputs, conv(inputs))


@pytest.mark.parametrize("sequential", [False, True])
def test_model_that_runs_its_graph_in_a_way_of_its_own_is_refused(sequential: bool) -> None:
    with pytest.raises(GraphError, match=r"redefines call.*keras\.Model\(model\.inputs"):
        te.trace(doubling(sequential=sequential))


@pytest.mark.parametrize("sequential", [False, True])
def test_nested_model_that_runs_its_graph_in_a_way_of_its_own_is_looked_into(
    sequential: bool,
) -> None:
    x = inputs = keras.Input((6, 6, 3))
    x = doubling(sequential=sequential)(layers.Conv2D(8, 1, name="maker")(x))
    x = layers.Dense(3)(layers.Flatten()(x))
    graph = assert_law2(keras.Model(inputs, x))
    assert any(step.path.endswith("/multiply") for step in graph.steps)
