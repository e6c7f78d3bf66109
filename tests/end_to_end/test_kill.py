"""A run that is killed ends, when it is started again, as if nothing had happened."""

import json
import signal
import subprocess
import time
from pathlib import Path

import keras
import pytest

RECIPE = """
name: tiny
data: {limit: 256}
model: {name: tiny.keras}
ladder: {widths: [1, 0.5], round_to: 4}
baseline: {epochs: 6, batch_size: 16, learning_rate: 0.02, augment: shift}
elastic: {epochs: 6, batch_size: 16, learning_rate: 0.02, augment: shift}
export: {calibration: 32, tolerance: 50, keep_all: true}
profile: {runs: 20, warmup: 2}
selector: {requests: 50}
"""

#: A file whose appearance tells that a run is in the middle of a training. Every other write meets its kill in
#: tests/faults, without a process for each.
MOMENT = ".state/joint_training/checkpoint.npz"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe so small that starting Python is most of the work."""
    model = keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, strides=4, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10),
        ]
    )
    model.save(tmp_path / "tiny.keras")
    path = tmp_path / "tiny.yaml"
    path.write_text(RECIPE.replace("tiny.keras", str(tmp_path / "tiny.keras")))
    return path


def files(workspace: Path) -> list[str]:
    return sorted(str(p.relative_to(workspace)) for p in workspace.rglob("*") if p.is_file())


def wait_for(file: Path, process: "subprocess.Popen[str]") -> None:
    while not file.exists():
        assert process.poll() is None, (
            f"ended before {file.name} was there: {process.communicate()}"
        )
        time.sleep(0.005)


@pytest.mark.slow
def test_killed_it_ends_with_the_same_files_and_figures(tfelastic, recipe, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    process = tfelastic("run", recipe, "--workspace", whole)
    _, errors = process.communicate()
    assert process.returncode == 0, errors

    process = tfelastic("run", recipe, "--workspace", parts)
    wait_for(parts / MOMENT, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (parts / "elastic.keras").exists()
    process = tfelastic("run", recipe, "--workspace", parts, "--json")
    out, errors = process.communicate()
    assert process.returncode == 0, errors

    for stage in ("data", "baseline", "ladder"):
        assert f"= {stage}" in errors, "a finished stage was run again"
    assert files(parts) == files(whole)
    assert json.loads(out) == json.loads((parts / "metrics.json").read_text())
    same_figures(whole, parts)


def same_figures(whole: Path, parts: Path) -> None:
    """Everything but measured times is equal, to the last bit of every variant."""
    expected, received = (json.loads((w / "metrics.json").read_text()) for w in (whole, parts))
    for key in ("data", "seed", "recipe", "fingerprint", "bundle_bytes", "versions"):
        assert received[key] == expected[key]
    for history in (_baseline_history, _joint_history):
        kept = [
            [{key: e[key] for key in ("epoch", "loss", "accuracy")} for e in history(m)]
            for m in (expected, received)
        ]
        assert kept[0] == kept[1]
        assert [epoch["epoch"] for epoch in kept[1]] == list(range(1, 7))
    assert received["baseline"]["score"] == expected["baseline"]["score"]
    for name in ("w100", "w050"):
        file = f"variants/{name}.tflite"
        assert (parts / file).read_bytes() == (whole / file).read_bytes()


def _baseline_history(metrics: dict) -> list:
    return metrics["baseline"]["history"]


def _joint_history(metrics: dict) -> list:
    return metrics["trainings"]["all widths together"]


@pytest.mark.slow
def test_ctrl_c_says_what_was_kept_and_how_to_go_on(tfelastic, recipe, tmp_path):
    workspace = tmp_path / "w"
    process = tfelastic("run", recipe, "--workspace", workspace)
    wait_for(workspace / ".state/baseline/checkpoint.npz", process)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate()
    assert process.returncode == 130, errors
    assert out == ""
    assert "Kept: data" in errors
    assert f"To go on: tfelastic run {recipe} --workspace {workspace}" in errors
    assert "Traceback" not in errors
