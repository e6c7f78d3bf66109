"""Operations measured one by one: the right ones, each as it runs in the whole."""

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
import tflite_export as tx
from tfelastic._cost import LatencyTable
from tfelastic._plan import Selection
from tflite_export._profile.microbenchmarks import OVERHEAD, microbenchmarks
from tflite_export._profile.operations import measure_files, profile_ops, table_of
from tflite_export.quantize.scheme import get_scheme
from tflite_export.tflite import read_graph, summarize


@pytest.fixture(scope="module")
def model() -> keras.Model:
    image = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(image)
    x = layers.Conv2D(16, 3, padding="same", name="first")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.Conv2D(16, 3, padding="same", activation="silu", name="second")(x)
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(y)
    gate = layers.Dense(16, activation="sigmoid", name="gate")(
        layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(y)
    )
    x = layers.Concatenate(name="join")([x, layers.Multiply(name="excite")([y, gate])])
    x = layers.Conv2D(16, 3, groups=2, padding="same", name="grouped")(x)
    x = layers.LeakyReLU(name="leaky")(layers.MaxPooling2D(2, name="smaller")(x))
    x = keras.ops.multiply(x, 2.0)
    return keras.Model(image, layers.Dense(4, name="logits")(layers.Flatten()(x)), name="net")


@pytest.fixture(scope="module")
def files(model):
    return microbenchmarks(model, round_to=16, scheme=get_scheme("int8"))


@pytest.fixture(scope="module")
def table(files) -> LatencyTable:
    return table_of(measure_files(files, runs=10), scheme="int8", threads=1)


def test_each_specimen_is_its_operation_at_its_channels(files) -> None:
    found = {}
    for point, tflite in files.items():
        summary = summarize(tflite)
        assert "float32" not in summary.dtypes
        found.setdefault(point.geometry.kind, set()).update(summary.operators)
        for tensor, shape in zip(summary.inputs, point.geometry.shapes, strict=True):
            fixed = [n for n, known in zip(tensor.shape[1:], shape, strict=True) if known]
            assert fixed == [n for n in shape if n]
        if point != OVERHEAD:
            assert max(point.channels[-1], 2) in (*summary.outputs[0].shape, 2)
    assert found["Conv2D"] == {"CONV_2D", "LOGISTIC", "MUL"}
    assert found["Concatenate"] == {"CONCATENATION"}
    assert found["DepthwiseConv2D"] == {"DEPTHWISE_CONV_2D"}
    assert found["Dense"] >= {"FULLY_CONNECTED"}
    assert found["Rescaling"] == {"MUL", "ADD"}
    assert found["MaxPooling2D"] == {"MAX_POOL_2D"}


def _convolutions(tflite: bytes) -> set[tuple]:
    graph = read_graph(tflite)
    return {
        (
            each.name,
            *(graph.tensors[number].shape for number in (*each.inputs[:2], *each.outputs)),
            *(each.options[name] for name in ("padding", "strideH", "dilationHFactor")),
        )
        for each in graph.operators
        if each.name in ("CONV_2D", "DEPTHWISE_CONV_2D")
    }


def test_a_convolution_is_measured_with_the_padding_that_became_part_of_it() -> None:
    image = keras.Input((16, 16, 4))
    x = layers.Conv2D(8, 3, strides=2)(layers.ZeroPadding2D(((0, 1), (0, 1)))(image))
    x = layers.DepthwiseConv2D(3, dilation_rate=2)(layers.ZeroPadding2D(2)(x))
    # On even rows these zeros are not those of "same": a PAD stays, and the convolution reads it.
    x = layers.Conv2D(4, 3, strides=2)(layers.ZeroPadding2D(1)(x))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(x))
    found: set[tuple] = set()
    for tflite in microbenchmarks(model, round_to=8, scheme=get_scheme("float32")).values():
        found |= _convolutions(tflite)
    whole = _convolutions(tx.convert(model, scheme="float32"))
    assert len(whole) == 3
    assert whole <= found


def test_the_table_prices_every_plan_of_the_model(model, table) -> None:
    graph = te.trace(model)
    whole = table.latency_us(Selection(graph))
    rungs = te.ladder(model, widths=(1, 0.7, 0.25)).rungs
    for rung in rungs:
        assert 0 < table.latency_us(Selection(graph, rung.plan)) < 10 * whole
    one = te.KeepPlan(graph.fingerprint, {g.name: (0,) for g in graph.prunable})
    assert table.latency_us(Selection(graph, one)) > table.overhead_us


def test_fixed_channels_are_measured_at_their_count_alone(table) -> None:
    (dense,) = [
        o for o in table.operations if o.geometry.kind == "Dense" and len(o.geometry.shapes[0]) == 1
    ]
    assert dense.grid[-1] == (4,)
    assert dense.grid[0] == (1, *range(16, 129, 16), 192, 288, 432, 656, 1024)
    (rescaling,) = [o for o in table.operations if o.geometry.kind == "Rescaling"]
    assert rescaling.grid == ((3,),)


def test_a_budget_takes_the_table(model) -> None:
    image = keras.Input((32, 32, 32))
    wide = layers.Conv2D(64, 3, name="wide")(image)
    heavy = keras.Model(image, layers.Conv2D(64, 3, name="last")(wide))
    points = microbenchmarks(heavy, round_to=8, scheme=get_scheme("int8"))
    # A device on which each pair of an input and an output channel takes a nanosecond.
    latencies = {point: int(np.prod(point.channels)) / 1000 for point in points}
    table = table_of(latencies, scheme="int8", threads=1)
    assert LatencyTable.from_json(table.to_json()) == table
    overhead = latencies[OVERHEAD]
    graph = te.trace(heavy)
    # Each file has the overhead in it, the net once.
    spent = 64 * (32 + 64) / 1000 - overhead
    assert table.latency_us(Selection(graph)) == pytest.approx(spent)
    budget = te.Budget(latency_us=0.5, latency=table)
    plan = te.plan(heavy, budget=budget, round_to=8)
    # Only the first layer's channels can go: k of them take k * 96 ns, and half of it all is reached at 32.
    assert {len(units) for units in plan.keep.values()} == {32}
    assert te.spending(heavy, plan, budget).fits
    with pytest.raises(te.errors.CostError, match="lacks"):
        te.plan(model, budget=budget)


def test_a_rectified_value_without_positions_has_a_range() -> None:
    image = keras.Input((3, 3, 3))
    outputs = [
        layers.Conv2D(count, 3, activation="relu", name=f"to_{count}")(image)
        for count in (10, 30, 100)
    ]
    table = profile_ops(keras.Model(image, outputs), runs=1)
    (measured,) = table.operations
    assert set(measured.grid[1]) >= {30, 100}


def test_progress_is_told_and_nonsense_refused(model) -> None:
    with pytest.raises(tx.ProfileError, match="round_to=0"):
        profile_ops(model, round_to=0)
    with pytest.raises(tx.ProfileError, match="threads=0"):
        profile_ops(model, threads=0)
    with pytest.raises(tx.SchemeError, match="int9"):
        profile_ops(model, scheme="int9")


def test_files_are_timed_in_microseconds(files) -> None:
    told = []
    slow, fast = max(files, key=lambda p: np.prod(p.channels)), OVERHEAD
    times = measure_files(
        {"slow": files[slow], "fast": files[fast]},
        runs=20,
        progress=lambda what, done, total: told.append((what, done, total)),
    )
    assert 0 < times["fast"] < times["slow"] < 1e6
    assert told == [("measure", 1, 2), ("measure", 2, 2)]
