"""Attention over heads, by laws 2 and 4."""

from collections.abc import Callable
from typing import Any

import keras
import pytest
from keras import layers

import tfelastic as te
from tests.support.pruning_checks import CHANNELS, assert_law2, net


def sequence_net(part: Callable[[Any], Any]) -> keras.Model:
    return net(part, rank=1, size=5)


@pytest.mark.parametrize(
    "options",
    [{}, {"value_dim": 3, "use_bias": False}, {"use_gate": True}, {"output_shape": 5}],
    ids=str,
)
def test_heads_values_and_outputs_are_groups(options: dict[str, Any]) -> None:
    attention = layers.MultiHeadAttention(4, 2, name="attention", **options)
    groups = ("maker", "attention", "attention#2", "attention#3")
    graph = assert_law2(sequence_net(lambda x: attention(x, x)), prunable=groups)
    sizes = [graph.group(name).size for name in groups[1:]]
    assert sizes == [4, options.get("value_dim", 2), options.get("output_shape", CHANNELS)]


def test_a_residual_stream_keeps_its_width_throughout() -> None:
    def part(x: Any) -> Any:
        return layers.Add()([x, layers.MultiHeadAttention(2, 4, name="attention")(x, x)])

    graph = assert_law2(sequence_net(part), prunable=("maker", "attention"))
    assert "attention" in {member.layer for member in graph.group("maker").members}


def test_queries_keys_and_values_of_their_own() -> None:
    def part(x: Any) -> Any:
        query, key = layers.Conv1D(4, 1, name="query")(x), layers.Conv1D(6, 1, name="key")(x)
        attention = layers.MultiHeadAttention(3, 4, name="attention")
        return attention(query, x, key)

    assert_law2(sequence_net(part), prunable=("maker", "query", "key", "attention"))


def test_scores_carry_the_heads() -> None:
    def part(x: Any) -> Any:
        found, scores = layers.MultiHeadAttention(4, 2, name="attention")(
            x, x, return_attention_scores=True
        )
        flat = layers.Flatten()
        return layers.Concatenate()([flat(found), flat(scores)])

    assert_law2(sequence_net(part), prunable=("maker", "attention"))


@keras.saving.register_keras_serializable("tests")
class Scaled(layers.MultiHeadAttention):
    """Attention with a temperature of its own."""

    def _masked_softmax(self, attention_scores: Any, attention_mask: Any = None) -> Any:
        return super()._masked_softmax(attention_scores * 2.0, attention_mask)


def test_attention_that_computes_in_a_way_of_its_own_stays() -> None:
    inputs = keras.Input((5, 3))
    x = layers.Dense(CHANNELS, name="maker")(inputs)
    graph = te.trace(keras.Model(inputs, Scaled(2, 4)(x, x)))
    assert graph.group("maker").frozen
