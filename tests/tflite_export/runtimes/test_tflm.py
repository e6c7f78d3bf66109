"""TFLM's own account of the arena, and how near the predictions come to it and to the file."""

import pytest

import tfelastic as te
import tflite_export as tx
from tfelastic._cost import tflite_bytes
from tfelastic._plan import Selection
from tflite_export.arena import with_arena_plan
from tflite_export.runtimes import ArenaReport, measure_arena

# What docs/costs.md states.
PEAK_ERROR, SMALL_FILE_ERROR = 0.01, 0.05


@pytest.mark.parametrize("kind", ["residual", "flatten"])
def test_the_predictions_come_near(nets, converted, kind: str) -> None:
    tflite = converted(kind)
    report = measure_arena(with_arena_plan(tflite))
    cost = te.cost(nets[kind])
    assert cost.peak_bytes == pytest.approx(report.activation_bytes, rel=PEAK_ERROR)
    estimate = tflite_bytes(Selection(te.trace(nets[kind])))
    assert estimate == pytest.approx(len(tflite), rel=SMALL_FILE_ERROR)


def test_the_float_peak_comes_near(nets, converted) -> None:
    report = measure_arena(with_arena_plan(converted("residual", "float32")))
    peak = te.cost(nets["residual"]).peak_bytes_float
    assert peak == pytest.approx(report.activation_bytes, rel=PEAK_ERROR)


def test_the_arena_holds_its_parts(converted) -> None:
    report = measure_arena(converted("residual"))
    parts = report.activation_bytes + report.persistent_bytes
    assert parts <= report.arena_bytes <= parts + 1024
    assert report.arena_bytes % 16 == 0
    assert ArenaReport.from_json(report.to_json()) == report
    assert f"{report.activation_bytes:,} for activations" in str(report)


def test_what_tflm_cannot_run_is_a_report(converted) -> None:
    with pytest.raises(tx.DeviceError, match="TFLM failed"):
        measure_arena(b"no file at all")
    with pytest.raises(tx.DeviceError, match="no arena up to 4,096 bytes"):
        measure_arena(converted("residual"), largest=4096)
    with pytest.raises(tx.DeviceError, match=r"within 0\.01 seconds"):
        measure_arena(converted("residual"), timeout_s=0.01)
