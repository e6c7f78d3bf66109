"""The latency ladder's accuracy beside the uniform one's: trained once, timed when the machine is quiet."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

import tfelastic as te
from benchmarks.latency_training import (
    RESULTS,
    Gain,
    Request,
    TrainedRung,
    compare,
    gains_of,
    measure_operations,
    page,
)
from benchmarks.measured_page import write
from benchmarks.quiet_machine import BusyMachineError
from tflite_export._profile.microbenchmarks import _all_benchmarks
from tflite_export._profile.operations import table_of

pytestmark = pytest.mark.slow

NET = "resnet8"


def busy(measure: Callable[[], Any]) -> Any:
    del measure
    raise BusyMachineError("the machine was busy")


def products(model: Any) -> te.LatencyTable:
    """Return a table in which every pair of channels takes a nanosecond."""
    graph = model if isinstance(model, te.LayerGraph) else te.trace(model)
    points = [each.point for each in _all_benchmarks(graph, 8)]
    times = {point: 0.001 * math.prod(point.channels) for point in points}
    return table_of(times, scheme="int8", threads=1)


def tiny(*_: Any, **__: Any) -> keras.Model:
    """Return a network that trains in seconds."""
    return keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            keras.layers.Rescaling(1 / 255, name="preprocess"),
            keras.layers.Conv2D(16, 3, strides=4, activation="relu", name="first"),
            keras.layers.Conv2D(16, 3, activation="relu", name="second"),
            keras.layers.GlobalAveragePooling2D(name="pool"),
            keras.layers.Dense(10, name="logits"),
        ],
        name=NET,
    )


def test_a_stopped_comparison_goes_on_and_is_timed_once_the_machine_is_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(te.zoo, "build", tiny)
    request = Request(
        folder=tmp_path,
        data="digits",
        shares=(0.6,),
        widths=(1.0, 0.5),
        limit=64,
        epochs=(1, 1),
        runs=1,
        changes=("data.test_limit=64", "baseline.batch_size=32", "elastic.batch_size=32"),
    )
    with pytest.raises(BusyMachineError):  # Nothing is trained before there are prices.
        compare(NET, request, quietly=busy)
    products(tiny()).save(tmp_path / NET / "operations.int8.json")

    predicted = compare(NET, request, quietly=busy)
    assert [rung.name for rung in predicted] == ["t100", "t060", "w100", "w050"]
    assert not any(rung.measured for rung in predicted)
    trained = (tmp_path / NET / "latency" / "elastic.keras").stat()

    timed = compare(NET, request, quietly=lambda measure: measure())
    assert all(rung.measured for rung in timed)
    assert [rung.accuracy for rung in timed] == [rung.accuracy for rung in predicted]
    again = compare(NET, request, quietly=busy)
    assert again == timed
    assert (tmp_path / NET / "latency" / "elastic.keras").stat() == trained
    results = json.loads((tmp_path / NET / RESULTS).read_text())
    assert [row["accuracy"] for row in results["rungs"]] == [rung.accuracy for rung in timed]
    text = page(tmp_path)
    assert (
        "resnet8, int8: each ladder trained for 1 epochs on 64 training images, from a bas" in text
    )
    for rung in timed:
        assert f"| {NET} | {rung.ladder} | {rung.name} | {rung.latency_us:,.0f} |" in text


def test_a_table_and_weights_that_are_there_are_taken(tmp_path: Path) -> None:
    table, weights = tmp_path / "phone.json", tmp_path / "weights.npz"
    request = Request(
        folder=tmp_path / "runs",
        data="digits",
        shares=(0.5,),
        widths=(1.0, 0.5),
        table=table,
        weights=weights,
    )
    with pytest.raises(FileNotFoundError, match=r"no table .*phone\.json"):
        measure_operations(NET, request, quietly=busy)
    products(tiny()).save(table)
    assert measure_operations(NET, request, quietly=busy) == table
    recipe = request.recipe(NET, "latency")
    assert recipe.ladder.budgets is not None
    assert recipe.ladder.budgets.table == str(table)
    assert (recipe.model.weights, recipe.baseline) == (str(weights), "none")


def test_each_table_of_a_page_has_its_place(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(
        "a\n<!-- one: begin -->\n<!-- one: end -->\nb\n<!-- two: begin -->x<!-- two: end -->"
    )
    write(file, "first", mark="one")
    write(file, "second", mark="two")
    write(file, "third", mark="one")
    assert file.read_text() == (
        "a\n<!-- one: begin -->\n\nthird\n\n<!-- one: end -->\nb\n<!-- two: begin -->\n\nsecond\n\n<!-- two: end -->"
    )
    with pytest.raises(ValueError, match="expected the marks <!-- three: begin -->"):
        write(file, "text", mark="three")


def rung(ladder: str, name: str, accuracy: float, latency_us: float) -> TrainedRung:
    return TrainedRung(ladder, name, accuracy, latency_us, True)


def test_a_gain_is_counted_from_the_uniform_rungs_that_none_beats() -> None:
    uniform = [
        rung("uniform", "w100", 0.9, 100),
        rung("uniform", "w075", 0.5, 80),  # Beaten: slower and less accurate than the next.
        rung("uniform", "w050", 0.8, 60),
    ]
    cut = [rung("latency", "t080", 0.88, 80), rung("latency", "t040", 0.75, 40)]
    assert gains_of([*cut, *uniform]) == {"t080": Gain(3.0, False), "t040": Gain(-5.0, True)}
