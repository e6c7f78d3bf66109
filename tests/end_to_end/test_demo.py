"""The demo, shrunk to what a test may take: every step real, every promise that is not about time."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

# Two widths, one short training each: enough to learn digits, little enough to compile.
SHRUNK = (
    "baseline.epochs=8",
    "elastic.epochs=8",
    "data.image_size=32",
    "model.name=resnet8",
    "ladder={widths: [1, 0.5]}",
    "export.tolerance=3",
    "export.keep_all=true",  # How fast they are must not decide on a busy machine.
    "profile.runs=50",
    "selector.requests=200",
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "w"
    settings = [word for setting in SHRUNK for word in ("--set", setting)]
    program = "import sys; from pipelines.cli import main; main()"
    run = ("run", "demo", "--one-process", "--workspace", str(folder))
    command = [sys.executable, "-c", program, *run, *settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(folder / "report.html") in done.stdout.replace("\n", "")
    return folder


@pytest.fixture(scope="module")
def metrics(workspace: Path) -> dict:
    return json.loads((workspace / "metrics.json").read_text())


@pytest.mark.slow
def test_it_leaves_what_it_promises(workspace):
    names = {p.name for p in workspace.iterdir()}
    promised = {"elastic.keras", "variants", "model.elastic", "profile.json", "metrics.json"}
    assert promised | {"report.html"} <= names
    variants = {p.name for p in (workspace / "variants").iterdir()}
    assert variants == {"w100.tflite", "w050.tflite"}
    assert not list((workspace / ".state").rglob("*.npz"))


@pytest.mark.slow
def test_the_metrics_hold_what_they_promise(metrics):
    assert metrics["data"]["train"] + metrics["data"]["test"] == 1797
    assert metrics["seed"] == 0
    assert {"python", "tfelastic", "keras", "tensorflow", "numpy"} <= metrics["versions"].keys()
    for variant in metrics["variants"]:
        assert {
            "p50_us",
            "p90_us",
            "name",
            "width",
            "params",
            "macs",
            "tflite_bytes",
        } <= variant.keys()
        assert {"score_keras", "score_tflite"} <= variant.keys()
    for row in metrics["selector"]:
        assert {"budget_us", "variant_counts", "p90_us", "score"} <= row.keys()
        assert sum(row["variant_counts"].values()) == 200


@pytest.mark.slow
def test_the_net_has_learnt_and_int8_has_not_forgotten(metrics):
    assert metrics["baseline"]["score"] > 0.9
    for variant in metrics["variants"]:
        assert variant["score_keras"] > 0.8
        assert abs(variant["score_keras"] - variant["score_tflite"]) < 0.03


@pytest.mark.slow
def test_costs_fall_along_the_ladder(metrics):
    wide, narrow = metrics["variants"]
    assert (wide["width"], narrow["width"]) == (1.0, 0.5)
    assert wide["macs"] == metrics["baseline"]["macs"]
    for cost in ("params", "macs", "tflite_bytes"):
        assert wide[cost] > narrow[cost]


@pytest.mark.slow
def test_the_bundle_holds_the_very_variants_and_runs_without_keras(workspace, metrics):
    program = """
import hashlib, json, sys
import numpy as np
from tfelastic_runtime import Bundle, Selector
bundle = Bundle.open(sys.argv[1])
with Selector.open(bundle, budget_ms=1000) as selector:
    result = selector.run(np.zeros(bundle.manifest.inputs[0].shape[1:], np.uint8))
print(json.dumps({
    "sha256": {v.name: hashlib.sha256(bundle.model(v.name)).hexdigest() for v in bundle.variants},
    "outputs": len(result.output),
    "heavy": sorted({"tensorflow", "keras"} & set(sys.modules)),
}))
"""
    path = workspace / "model.elastic"
    assert path.stat().st_size == metrics["bundle_bytes"]
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    for name, digest in found["sha256"].items():
        file = workspace / "variants" / f"{name}.tflite"
        assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert found["outputs"] == 10
    assert found["heavy"] == []


@pytest.mark.slow
def test_the_report_tells_the_metrics(workspace, metrics):
    page = (workspace / "report.html").read_text(encoding="utf-8")
    assert metrics["data"]["name"] in page
    for variant in metrics["variants"]:
        assert f"{variant['params']:,}" in page
    assert metrics["command"].split(" --")[0] in page
