"""`tfelastic select` and `tfelastic simulate`, on the golden bundle with its own table."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tfelastic_runtime import Bundle

import tflite_export as tx
from pipelines.cli.entry import execute

GOLDEN = Path(__file__).parents[3] / "runtime" / "conformance" / "golden.elastic"


@pytest.fixture
def profile(tmp_path: Path) -> str:
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(Bundle.open(GOLDEN).manifest.profiles[0].to_json()))
    return str(path)


def test_select_says_why(profile: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["select", str(GOLDEN), "--profile", profile, "--json", "--budget-ms"]
    assert execute([*asked, "0.03"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["variant"], found["feasible"]) == ("w050", True)
    reasons = {each["variant"]: each["reason"] for each in found["variants"]}
    assert reasons == {
        "w100": "14 us over the budget",
        "w050": "chosen: the best score that keeps the budget",
        "w025": "keeps the budget; w050 scores better",
    }
    assert execute([*asked, "0.005", "--slowdown", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["variant"], found["feasible"]) == ("w025", False)
    assert found["variants"][2]["predicted_us"] == 24
    assert execute([*asked[:-2], "--budget-ms", "0.03"]) == 0
    assert "14 us over" in " ".join(capsys.readouterr().out.split())


def test_simulate_prints_and_draws(
    profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("1\n" * 60 + "2\n" * 60)
    picture = tmp_path / "picture.svg"
    asked = ["simulate", str(GOLDEN), "--profile", profile, "--trace", str(trace)]
    assert execute([*asked, "--budget-ms", "0.06", "-o", str(picture), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] == 120
    assert [each["name"] for each in found["outcomes"]] == [
        *("policy", "kalman", "knowing slowdown", "oracle"),
        *("w100", "w050", "w025"),
    ]
    assert "<svg" in picture.read_text()
    assert execute([*asked, "--budget-ms", "0.06"]) == 0
    assert "knowing slowdown" in capsys.readouterr().out
    asked = ["simulate", str(GOLDEN), "--profile", profile, "--trace", "step"]
    short = ("--runs", "50", "--stalls", "0.02", "--budget-ms", "0.06", "--json")
    assert execute([*asked, *short]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == 50


def test_wrong_usage(profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["simulate", str(GOLDEN), "--profile", profile, "--budget-ms", "1", "--trace"]
    assert execute([*asked, "sunny"]) == 1
    assert "idle, step, ramp" in capsys.readouterr().err
    asked = ["select", str(GOLDEN), "--profile", profile, "--device", "x", "--budget-ms", "1"]
    assert execute(asked) == 2
    other = tmp_path / "other.json"
    assert execute(["select", str(GOLDEN), "--profile", str(other), "--budget-ms", "1"]) == 2
    assert "'tfelastic profile' writes measured tables" in capsys.readouterr().err
    table = json.loads(Path(profile).read_text())
    table["latencies"].pop("w025")
    other.write_text(json.dumps(table))
    assert execute(["select", str(GOLDEN), "--profile", str(other), "--budget-ms", "1"]) == 1
    assert "not of this bundle" in capsys.readouterr().err
    table = json.loads(Path(profile).read_text())
    other.write_text(json.dumps({**table, "bundle_sha256": "0" * 64}))
    assert execute(["select", str(GOLDEN), "--profile", str(other), "--budget-ms", "1"]) == 1
    assert "measured with another bundle" in capsys.readouterr().err


def test_a_table_within_the_bundle_is_chosen_by_its_device(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = Path(shutil.copy(GOLDEN, tmp_path))
    asked = ["select", str(bundle), "--budget-ms", "0.03", "--json"]
    assert execute(asked) == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["variant"] == "w050"
    own = Bundle.open(bundle).manifest.profiles[0]
    other = replace(own, device={"name": "Other phone", "serial": "R5CT"}, threads=4)
    tx.add_profiles(bundle, [other])
    assert execute(asked) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "2 of the bundle's tables fit" in said
    assert "Other phone, R5CT, threads 4" in said
    assert execute([*asked, "--device", "imaginary"]) == 0
    assert json.loads(capsys.readouterr().out) == alone
    assert execute([*asked, "--device", "no such"]) == 2
    shared = GOLDEN.with_name("shared.elastic")
    assert execute(["select", str(shared), "--budget-ms", "1"]) == 2
    assert "holds no measured table" in " ".join(capsys.readouterr().err.split())
