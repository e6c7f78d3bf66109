"""What a sum of operations misses is fitted to whole networks."""

import functools
import math
from dataclasses import replace

import hypothesis.strategies as st
import keras
import pytest
from hypothesis import given, settings

import tfelastic as te
from tests.support.devices import chain
from tfelastic._cost import LatencyTable, timed_steps, weights_of
from tfelastic._plan import KeepPlan, Selection
from tflite_export._profile.microbenchmarks import OVERHEAD, _all_benchmarks
from tflite_export._profile.operations import profile_ops, table_of
from tflite_export._profile.whole_networks import SIZES, fitted, whole_networks

GRAPH = te.trace(chain(32, 64, 32))
PLANS = list(whole_networks(GRAPH, round_to=8).values())
UNSEEN = te.ladder(GRAPH, widths=(1.0, 0.75)).rungs[1].plan


@functools.cache
def operations() -> LatencyTable:
    """Return a table in which each pair of channels takes a nanosecond, besides the microsecond of any inference."""
    points = [each.point for each in _all_benchmarks(GRAPH, 8)]
    times = {point: 1 + 0.001 * math.prod(point.channels) for point in points}
    return table_of(times | {OVERHEAD: 1.0}, scheme="int8", threads=1)


def weights_in(plan: KeepPlan) -> int:
    """Return how many weights the timed layers of a network read."""
    selection = Selection(GRAPH, plan)
    return sum(weights_of(selection, step) for step in timed_steps(selection))


@settings(max_examples=25, deadline=None)
@given(factor=st.floats(0.6, 1.9), weight_us=st.floats(0, 1e-3))
def test_a_device_that_follows_the_model_is_predicted_exactly(
    factor: float, weight_us: float
) -> None:
    device = replace(operations(), factor=factor, weight_us=weight_us)
    wholes = [(plan, device.latency_us(Selection(GRAPH, plan))) for plan in PLANS]
    table = fitted(operations(), GRAPH, wholes)
    for plan in (*PLANS, UNSEEN):
        expected = device.latency_us(Selection(GRAPH, plan))
        assert table.latency_us(Selection(GRAPH, plan)) == pytest.approx(expected)
    assert LatencyTable.from_json(table.to_json()) == table


def test_layers_add_up_to_the_network() -> None:
    device = replace(operations(), factor=1.2, weight_us=1e-3)
    selection = Selection(GRAPH)
    layers = sum(latency for _, latency in device.latencies_us(selection))
    assert device.latency_us(selection) == pytest.approx(device.overhead_us + layers)


@pytest.mark.parametrize("times", [0.01, 100.0])
def test_what_is_no_matter_of_caches_is_not_believed(times: float) -> None:
    wholes = [(plan, times * operations().latency_us(Selection(GRAPH, plan))) for plan in PLANS]
    assert fitted(operations(), GRAPH, wholes) == operations()


def test_weights_never_save_time() -> None:
    """Where the wide network is faster than its sum says and the narrow one slower, the price of a weight is zero."""
    shares = (0.9, 1.0, 1.3)
    wholes = [
        (plan, share * operations().latency_us(Selection(GRAPH, plan)))
        for plan, share in zip(PLANS, shares, strict=True)
    ]
    assert fitted(operations(), GRAPH, wholes).weight_us == 0


def test_whole_networks_are_timed_with_the_operations() -> None:
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(16, 3, name="first")(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(4, name="logits")(x))
    sizes: dict[float, int] = {}

    def measure(files: dict, **_: object) -> dict:
        for point, tflite in files.items():
            if point.geometry.kind == "network":
                sizes[dict(point.geometry.settings)["width"]] = len(tflite)
        return {point: float(len(tflite)) for point, tflite in files.items()}

    before = [weight.numpy() for weight in model.weights]
    profile_ops(model, round_to=16, measure=measure)
    assert tuple(sizes) == (1.0, 0.5, 0.25)
    assert sizes[1.0] > sizes[0.5] > sizes[0.25]
    assert all((a == b.numpy()).all() for a, b in zip(before, model.weights, strict=True))


def test_a_model_without_anything_to_prune_is_timed_as_it_is() -> None:
    image = keras.Input((4,))
    graph = te.trace(keras.Model(image, keras.layers.Dense(2)(image)))
    assert list(whole_networks(graph, round_to=8).values()) == [KeepPlan(graph.fingerprint)]


def test_a_model_of_blocks_is_timed_without_some_of_them_too() -> None:
    graph = te.trace(te.zoo.build("resnet20", input_shape=(32, 32, 3), classes=10))
    plans = whole_networks(graph, round_to=8)
    sizes = [dict(point.geometry.settings) for point in plans]
    assert [(each["width"], each["depth"]) for each in sizes] == [*SIZES]
    assert [len(plan.removed) for plan in plans.values()] == [0, 0, 0, 3, len(graph.blocks)]


@pytest.mark.parametrize("cached", [0, 1, 2])
def test_weights_that_a_cache_holds_cost_nothing(cached: int) -> None:
    """Of a device whose cache holds as much as one of the networks that were timed, all is found."""
    counts = sorted(weights_in(plan) for plan in PLANS)
    device = replace(operations(), factor=1.1, weight_us=1e-2, cached_weights=counts[cached])
    wholes = [(plan, device.latency_us(Selection(GRAPH, plan))) for plan in PLANS]
    table = fitted(operations(), GRAPH, wholes)
    unseen = te.ladder(GRAPH, widths=(1.0, 0.75)).rungs[1].plan
    expected = device.latency_us(Selection(GRAPH, unseen))
    assert table.latency_us(Selection(GRAPH, unseen)) == pytest.approx(expected, rel=0.05)
    assert LatencyTable.from_json(table.to_json()) == table
