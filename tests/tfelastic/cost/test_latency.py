"""The latency table: interpolation, sums, refusals, and plans under a latency budget."""

import json
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from keras import layers

import tfelastic as te
from tfelastic._cost import (
    Geometry,
    LatencyTable,
    MeasuredOperation,
    channels_of,
    geometry_of,
    timed_steps,
)
from tfelastic._plan import Selection

OVERHEAD_US = 5.0
CONV = Geometry("Conv2D", ((8, 8, None),), (("kernel_size", (3, 3)),))


def net(width: int = 64) -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(width, 3, padding="same", name="first")(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.Conv2D(width, 3, padding="same", activation="relu", name="second")(x)
    x = layers.Add(name="add")([x, y])
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(10, name="logits")(x), name="net")


def work_us(channels: tuple[int, ...]) -> float:
    """The made-up latency of an operation: multilinear, as work is."""
    return OVERHEAD_US + 0.1 * np.prod(channels)


def table_for(model: keras.Model, *, least: int = 1) -> LatencyTable:
    """A table of a device on which every operation takes `work_us`."""
    selection = Selection(te.trace(model))
    counts: dict[Geometry, list[tuple[int, ...]]] = {}
    for step in timed_steps(selection):
        counts.setdefault(geometry_of(selection, step), []).append(channels_of(selection, step))
    operations = []
    for geometry, found in counts.items():
        grid = tuple(tuple(sorted({least, *axis})) for axis in zip(*found, strict=True))
        points = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1).reshape(-1, len(grid))
        operations.append(MeasuredOperation(geometry, grid, tuple(map(work_us, points))))
    return LatencyTable({"kind": "imagined"}, "int8", 1, OVERHEAD_US, tuple(operations))


def test_between_neighbours_of_a_fine_grid_a_count_takes_the_next_larger_ones_latency() -> None:
    operation = MeasuredOperation(CONV, ((8,), (8, 16, 32)), (1.0, 2.0, 4.0), step=8)
    found = {count: operation.latency_us((8, count)) for count in (8, 9, 15, 16, 24, 32)}
    assert found == {8: 1.0, 9: 2.0, 15: 2.0, 16: 2.0, 24: 3.0, 32: 4.0}
    assert MeasuredOperation.from_json(operation.to_json()) == operation


def test_interpolation_is_exact_at_the_grid_and_linear_between() -> None:
    latencies = (1.0, 2.0, 4.0, 3.0, 10.0, 40.0)
    operation = MeasuredOperation(CONV, ((1, 4), (2, 8, 16)), latencies)
    points = [(i, o) for i in (1, 4) for o in (2, 8, 16)]
    assert tuple(operation.latency_us(point) for point in points) == latencies
    assert operation.latency_us((1, 5)) == 1.5
    assert operation.latency_us((2, 2)) == pytest.approx(1 + 2 / 3)
    assert operation.latency_us((2, 12)) == pytest.approx(3 + (25 - 3) / 3)


@settings(max_examples=50)
@given(
    steps=st.lists(st.floats(0, 100), min_size=12, max_size=12),
    one=st.tuples(st.integers(1, 16), st.integers(1, 64)),
    more=st.tuples(st.integers(0, 15), st.integers(0, 63)),
)
def test_where_the_grid_rises_what_lies_between_rises(steps, one, more) -> None:
    values = np.array(steps).reshape(3, 4).cumsum(0).cumsum(1)
    operation = MeasuredOperation(
        CONV, ((1, 4, 16), (1, 8, 32, 64)), tuple(values.ravel().tolist())
    )
    other = (min(one[0] + more[0], 16), min(one[1] + more[1], 64))
    assert operation.latency_us(one) <= operation.latency_us(other) * (1 + 1e-12)


def test_a_sum_counts_every_operation_that_runs_and_the_overhead_once() -> None:
    model = net()
    selection = Selection(te.trace(model))
    found = dict(table_for(model).latencies_us(selection))
    assert set(found) == {"first", "second", "add", "pool", "logits"}
    expected = {"first": 3 * 64, "second": 64 * 64, "add": 64, "pool": 64, "logits": 64 * 10}
    assert found == pytest.approx({name: 0.1 * work for name, work in expected.items()})
    total = table_for(model).latency_us(selection)
    assert total == pytest.approx(OVERHEAD_US + 0.1 * sum(expected.values()))


def test_a_plan_is_priced_as_the_model_that_it_makes() -> None:
    model = net()
    graph, table = te.trace(model), table_for(model)
    plan = te.ladder(model, widths=(1, 0.5)).rungs[1].plan
    predicted = table.latency_us(Selection(graph, plan))
    built = table.latency_us(Selection(te.trace(te.prune(model, plan))))
    assert predicted == pytest.approx(built)
    assert predicted == pytest.approx(5 + 0.1 * (3 * 32 + 32 * 32 + 32 + 32 + 320))


def test_equal_geometries_are_one_operation() -> None:
    selection = Selection(te.trace(net()))
    geometries = [geometry_of(selection, step) for step in timed_steps(selection)]
    assert len(geometries) == 5
    assert len(set(geometries)) == 4
    assert "kernel_size=(3, 3)" in str(geometries[0])
    assert "on 8x8xC" in str(geometries[0])


def test_a_padding_that_becomes_part_of_a_convolution_is_part_of_its_geometry() -> None:
    def geometries(pad: bool) -> list[Geometry]:
        image = x = keras.Input((8, 8, 3))
        x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x) if pad else x
        x = layers.Conv2D(4, 3, strides=2, padding="valid" if pad else "same")(x)
        selection = Selection(te.trace(keras.Model(image, x)))
        return [geometry_of(selection, step) for step in timed_steps(selection)]

    assert geometries(pad=True) == geometries(pad=False)


def test_a_missing_operation_is_named() -> None:
    image = keras.Input((8, 8, 3))
    other = keras.Model(image, layers.Conv2D(4, 5, name="wide_window")(image))
    with pytest.raises(
        te.errors.CostError, match=r"lacks Conv2D.*kernel_size=\(5, 5\).*'wide_window'"
    ):
        table_for(net()).latency_us(Selection(te.trace(other)))


def test_channels_outside_of_the_grid_are_named() -> None:
    with pytest.raises(te.errors.CostError, match=r"layer 'first'.*1 to 64 channels, not with 72"):
        table_for(net(64)).latency_us(Selection(te.trace(net(72))))


def test_a_table_survives_json() -> None:
    table = table_for(net())
    text = json.dumps(table.to_json())
    assert LatencyTable.from_json(json.loads(text)) == table
    with pytest.raises(te.errors.CostError, match="no table of operations"):
        LatencyTable.from_json({"operations": []})


def test_a_table_survives_a_file(tmp_path: Path) -> None:
    path = tmp_path / "operations.json"
    table = replace(table_for(net()), runtime="LiteRT 2.3.0", kernels="xnnpack")
    table.save(path)
    assert LatencyTable.load(path) == table
    path.write_text(json.dumps({**table.to_json(), "format": 2}))
    with pytest.raises(te.errors.CostError, match=r"operations.json: .*format 2.*knows 1"):
        LatencyTable.load(path)
    for text in ("{", "[]", '{"format": 1, "latencies": {}}'):
        path.write_text(text)
        with pytest.raises(te.errors.CostError, match=r"operations.json: "):
            LatencyTable.load(path)


@pytest.mark.parametrize(
    ("grid", "latencies", "words"),
    [
        (((4, 1),), (1.0, 2.0), "ascending"),
        (((1, 4),), (1.0,), "2 points"),
        (((1, 4),), (1.0, float("nan")), "not a number"),
    ],
)
def test_a_malformed_measurement_is_refused(grid, latencies, words) -> None:
    with pytest.raises(te.errors.CostError, match=words):
        MeasuredOperation(CONV, grid, latencies)


def test_two_measurements_of_one_operation_are_refused() -> None:
    twice = (MeasuredOperation(CONV, ((1,), (1,)), (1.0,)),) * 2
    with pytest.raises(te.errors.CostError, match="two measurements"):
        LatencyTable({}, "int8", 1, 0.0, twice)


def test_a_latency_budget_is_met_and_its_gap_told() -> None:
    model = net()
    budget = te.Budget(latency_us=0.5, latency=table_for(model))
    stand = te.spending(model, te.plan(model, budget=budget), budget)
    assert stand.fits
    assert stand.binding == "latency_us"
    # 64 channels step down by 8; one step more would have been needless.
    assert 0 <= stand.gap < 0.3
    wider = te.KeepPlan(te.trace(model).fingerprint, {"first": tuple(range(48))})
    assert not te.spending(model, wider, budget).fits


@pytest.mark.parametrize("allowed", [1e-3, 1.5, OVERHEAD_US])
@pytest.mark.parametrize("strategy", ["global", "greedy", "knapsack"])
def test_a_budget_below_what_any_inference_takes_is_refused_unsearched(
    allowed: float, strategy: str
) -> None:
    model = net()
    budget = te.Budget(latency_us=allowed, latency=table_for(model))
    with pytest.raises(te.errors.BudgetError, match=r"out of reach: any inference.*5\.0 us"):
        te.plan(model, budget=budget, strategy=strategy)
    with pytest.raises(te.errors.BudgetError, match="out of reach: any inference"):
        te.ladder(model, budgets=[budget], strategy=strategy)


def test_one_devices_table_serves_another_model(tmp_path: Path) -> None:
    """A shallower and narrower model of the same geometries is priced, and cut, as by a table of its own."""
    table_for(net(64)).save(tmp_path / "phone.json")
    table = LatencyTable.load(tmp_path / "phone.json")
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(40, 3, padding="same", activation="relu", name="stem")(image)
    for number in range(2):
        x = layers.Conv2D(48, 3, padding="same", activation="relu", name=f"c{number}")(x)
    x = layers.GlobalAveragePooling2D()(x)
    other = keras.Model(image, layers.Dense(10, name="logits")(x), name="other")
    own = table_for(other)
    assert own.operations != table.operations
    selection = Selection(te.trace(other))
    assert table.latency_us(selection) == pytest.approx(own.latency_us(selection))
    plans = [
        te.plan(other, budget=te.Budget(latency_us=0.5, latency=each), strategy="greedy")
        for each in (table, own)
    ]
    assert plans[0].keep
    assert plans[0] == plans[1]


def test_a_candidate_that_is_measured_too_slow_is_cut_further() -> None:
    model = net()
    table = table_for(model)
    seen = []

    def slower_than_told(pruned: keras.Model) -> float:
        seen.append(1.5 * table.latency_us(Selection(te.trace(pruned))))
        return seen[-1]

    budget = te.Budget(latency_us=300, latency=table)
    plan = te.plan(model, budget=budget, measure=slower_than_told)
    assert len(seen) == 2
    assert seen[0] > 300 >= seen[1]
    assert plan != te.plan(model, budget=budget)


def test_a_candidate_that_is_fast_enough_is_measured_once() -> None:
    model, seen = net(), []
    budget = te.Budget(latency_us=300, latency=table_for(model))
    plan = te.plan(model, budget=budget, measure=lambda pruned: seen.append(pruned) or 300.0)
    assert plan == te.plan(model, budget=budget)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (301.0, "300 us are allowed.*301, 301, 301, 301, 301 us; allow more"),
        (9000.0, "300 us are allowed.*9,000.*the smallest plan"),
        (float("nan"), "returned nan"),
    ],
)
def test_what_was_measured_is_told_where_nothing_is_fast_enough(answer: float, words: str) -> None:
    model = net()
    budget = te.Budget(latency_us=300, latency=table_for(model))
    with pytest.raises(te.errors.BudgetError, match=words):
        te.plan(model, budget=budget, measure=lambda pruned: answer)


def test_a_measurement_needs_a_limit_to_hold_it_to() -> None:
    with pytest.raises(te.errors.BudgetError, match="latency_us"):
        te.plan(net(), budget=te.Budget(macs=0.5), measure=lambda pruned: 1.0)
