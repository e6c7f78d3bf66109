"""Judges a rule on a small net: a maker of channels, the layer in question, a reader of channels, a head."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

import tfelastic as te
from tests.support.inference import random_inputs, run
from tests.support.oracles import TOLERANCE, counted_macs, difference, masked, wrong_plans
from tests.support.weights import randomize

CHANNELS = 8
CONVOLUTIONS = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}
Part = Callable[[Any], Any]


def net(
    part: Part, *, rank: int = 2, size: int = 6, data_format: str = "channels_last"
) -> keras.Model:
    """Return a model that makes 8 channels, applies `part`, mixes what comes out, and ends in 3 logits."""
    conv = CONVOLUTIONS[rank]
    lengths = (size,) * rank
    first = data_format == "channels_first"
    x = inputs = keras.Input((3, *lengths) if first else (*lengths, 3))
    x = conv(CHANNELS, 2, data_format=data_format, name="maker")(x)
    x = part(x)
    if len(x.shape) > 2:
        x = CONVOLUTIONS[len(x.shape) - 2](5, 1, data_format=data_format, name="reader")(x)
        x = layers.Flatten(data_format=data_format)(x)
    return keras.Model(inputs, layers.Dense(3, name="logits")(x), name="judged")


def some_plan(graph: te.LayerGraph, *, seed: int = 0) -> te.KeepPlan:
    """Return a plan that drops some units of every prunable group, and re-orders where that is allowed."""
    generator = np.random.default_rng(seed)
    keep = {}
    for group in graph.prunable:
        count = max(1, int(group.size * 0.6))
        units = generator.permutation(group.size)[:count]
        keep[group.name] = tuple((units if group.permutable else np.sort(units)).tolist())
    return te.KeepPlan(graph.fingerprint, keep)


def assert_law2(model: keras.Model, *, prunable: Sequence[str] = ("maker",)) -> te.LayerGraph:
    """Check that the named groups can be pruned, and that the pruned model is what the masked original is.

    Also: a wrong channel in any group is found out, and the cost predicted is the cost counted.
    """
    graph = te.trace(randomize(model))
    missing = {name: graph.group(name) for name in prunable if graph.group(name).frozen}
    assert not missing, "\n".join(map(str, missing.values()))
    plan = some_plan(graph)
    pruned = te.prune(model, plan)
    batch = random_inputs(model)
    expected = masked(graph, plan, batch)
    assert difference(expected, run(pruned, batch)) < TOLERANCE
    for wrong in wrong_plans(graph, plan):
        assert difference(expected, masked(graph, wrong, batch)) > 1e-6
    predicted = te.cost(graph, plan)
    assert predicted == te.cost(pruned)
    assert predicted.params == pruned.count_params()
    assert predicted.macs == counted_macs(pruned)
    return graph


def assert_frozen(model: keras.Model, name: str, reason: str) -> te.LayerGraph:
    """Check that group `name` is frozen, that `reason` is given, and that all the rest obeys law 2."""
    graph = assert_law2(model, prunable=())
    assert any(reason in given for given in graph.group(name).frozen), graph.group(name)
    return graph
