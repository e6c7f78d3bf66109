"""Recurrent layers, one way and both ways, by laws 2 and 4."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers, ops

import tfelastic as te
from tests.support.inference import random_inputs, run
from tests.support.oracles import difference
from tests.support.pruning_checks import assert_frozen, assert_law2, net
from tests.support.weights import randomize

KINDS = {
    "simple": lambda **options: layers.SimpleRNN(6, **options),
    "gru, reset before": lambda **options: layers.GRU(6, reset_after=False, **options),
    "lstm without bias": lambda **options: layers.LSTM(6, use_bias=False, **options),
}


def sequence_net(part: Callable[[Any], Any]) -> keras.Model:
    return net(part, rank=1, size=5)


@pytest.mark.parametrize("kind", KINDS)
def test_units_go_with_all_of_their_gates(kind: str) -> None:
    layer = KINDS[kind](return_sequences=True, name="memory")
    graph = assert_law2(sequence_net(layer), prunable=("maker", "memory"))
    assert graph.group("memory").size == 6


def test_states_carry_the_units() -> None:
    def part(x: Any) -> Any:
        last, state, carry = layers.LSTM(6, return_state=True, name="memory")(x)
        again = layers.LSTM(6, name="again")(x, initial_state=[state, carry])
        return layers.Concatenate()([last, carry, again])

    graph = assert_law2(sequence_net(part), prunable=("maker", "memory"))
    assert {member.layer for member in graph.group("memory").members} >= {"memory", "again"}


@pytest.mark.parametrize(
    ("layer", "merge_mode"),
    [(layers.LSTM, "concat"), (layers.GRU, "sum"), (layers.SimpleRNN, "mul"), (layers.GRU, None)],
)
def test_both_directions_keep_equally_many_units(layer: Any, merge_mode: str | None) -> None:
    def part(x: Any) -> Any:
        inner = layer(6, return_sequences=True)
        x = layers.Bidirectional(inner, merge_mode=merge_mode, name="both")(x)
        return layers.Concatenate()(x) if merge_mode is None else x

    graph = assert_law2(sequence_net(part), prunable=("maker", "both"))
    assert graph.group("both").size == 6


def test_states_of_both_directions() -> None:
    def part(x: Any) -> Any:
        merged, *states = layers.Bidirectional(layers.GRU(4, return_state=True), name="both")(x)
        return layers.Concatenate()([merged, *states])

    assert_law2(sequence_net(part), prunable=("maker", "both"))


@keras.saving.register_keras_serializable("tests")
class OwnGates(layers.LSTM):
    """A recurrent layer with a loop of its own."""

    def inner_loop(self, *args: Any, **kwargs: Any) -> Any:
        return super().inner_loop(*args, **kwargs)


REFUSED = {
    "softmax over units": (lambda: layers.LSTM(6, activation="softmax", name="memory"), "softmax"),
    "another loop": (lambda: OwnGates(6, name="memory"), "redefines inner_loop"),
    "another loop, both ways": (
        lambda: layers.Bidirectional(OwnGates(6), name="memory"),
        "redefines inner_loop",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_rule_does_not_describe_stays(name: str) -> None:
    make, reason = REFUSED[name]
    group = "memory" if "softmax" in reason else "maker"
    assert_frozen(sequence_net(make()), group, reason)


def own_tanh(x: Any) -> Any:
    return ops.tanh(x) * 0.9


def test_activations_of_ones_own_are_followed_and_kept() -> None:
    layer = layers.GRU(6, activation=own_tanh, name="memory")
    assert_law2(sequence_net(layer), prunable=("maker", "memory"))


@pytest.mark.parametrize("both", [False, True])
def test_a_mask_is_no_state(both: bool) -> None:
    inputs = keras.Input((5, 3))
    layer = layers.LSTM(6, name="memory")
    x = (layers.Bidirectional(layer, name="memory") if both else layer)(layers.Masking()(inputs))
    assert_law2(keras.Model(inputs, layers.Dense(3)(x)), prunable=("memory",))


def test_rungs_of_a_saved_net_with_wrapped_layers_are_those_of_the_net(tmp_path: Path) -> None:
    inputs = keras.Input((4, 3))
    x = layers.TimeDistributed(layers.Dense(6, activation="relu"))(inputs)
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True))(x)
    x = layers.LSTM(4)(layers.MultiHeadAttention(2, 3)(x, x))
    model = randomize(keras.Model(inputs, layers.Dense(3)(x)))
    batch = random_inputs(model)
    graph = te.trace(model)
    whole = te.prune(graph, te.KeepPlan(graph.fingerprint))
    assert difference(run(model, batch), run(whole, batch)) == 0
    net = te.ElasticModel(model, te.ladder(model, widths=(1.0, 0.5)))
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    for name in net.names:
        assert difference(run(net.cut(name), batch), run(loaded.cut(name), batch)) == 0


def test_a_net_with_a_stateful_layer_is_pruned_around_it() -> None:
    inputs = keras.Input(batch_shape=(2, 4, 3))
    x = layers.LSTM(4, stateful=True, return_sequences=True)(inputs)
    model = keras.Model(inputs, layers.Dense(3)(layers.Dense(6, name="free")(x)))
    graph = te.trace(model)
    pruned = te.prune(graph, te.KeepPlan(graph.fingerprint, {"free": (0, 2)}))
    assert pruned.get_layer("free").units == 2
