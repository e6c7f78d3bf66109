"""A run whose every write goes wrong once ends, given again and again, as one of which none did."""

import itertools
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.entry import execute
from pipelines.experiments import load_recipe, stages_of
from tests.support.write_faults import FAULTS, KILLED, Killed, WriteFaults

pytestmark = pytest.mark.filterwarnings("ignore:Even though the .*run_functions_eagerly")

_TRAINING = {"epochs": 2, "batch_size": 16, "augment": None, "optimizer": "adamw"}
RECORD = ".state/run.json"
# Figures that a clock gave.
MEASURED = ("seconds", "profile", "selector", "simulation", "timing", "latency")


@pytest.fixture(scope="module")
def recipe(inputs: Path) -> Path:
    path = inputs / "tiny.yaml"
    tree = {
        "name": "tiny",
        "data": {"source": str(inputs / "data.npz")},
        "model": {"name": "net.keras"},
        "ladder": {"widths": [1, 0.5], "round_to": 4},
        "baseline": _TRAINING,
        "elastic": _TRAINING,
        "export": {"calibration": 16, "strays": "keep", "keep_all": True},
        "profile": {"runs": 5, "warmup": 1},
        "selector": {"requests": 5},
    }
    path.write_text(json.dumps(tree))
    return path


@pytest.fixture(scope="module")
def whole(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of a run of which nothing went wrong."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert execute(asked(recipe, folder)) == 0
    return folder


def asked(recipe: Path, workspace: Path) -> list[str]:
    return ["run", str(recipe), "--workspace", str(workspace), "--one-process", "--quiet"]


def files(workspace: Path) -> set[str]:
    return {str(each.relative_to(workspace)) for each in workspace.rglob("*") if each.is_file()}


def record(workspace: Path) -> dict[str, Any]:
    path = workspace / RECORD
    return json.loads(path.read_text()) if path.exists() else {"stages": {}, "started": {}}


def assert_ended_alike(workspace: Path, whole: Path) -> None:
    """Check that two runs left the same files, weights and results, whatever the clock said."""
    assert files(workspace) == files(whole)
    for name in files(whole):
        if name.endswith((".tflite", "ladder.json")):
            assert (workspace / name).read_bytes() == (whole / name).read_bytes(), name
    for stage, entry in record(whole)["stages"].items():
        found = record(workspace)["stages"][stage]
        assert found["files"].keys() == entry["files"].keys()
        if stage not in MEASURED:
            assert without_times(found["result"]) == without_times(entry["result"]), stage


def without_times(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {k: without_times(v) for k, v in tree.items() if not any(m in k for m in MEASURED)}
    return [without_times(each) for each in tree] if isinstance(tree, list) else tree


@pytest.fixture(scope="module", autouse=True)
def _untraced() -> Iterator[None]:
    """Train without tracing, which would take far longer than a dozen steps of a tiny net."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_every_write_of_every_stage_may_go_wrong(
    recipe: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each write of a run meets one fault, in turn; the same command goes on every time."""
    workspace = tmp_path / "struck"

    def moment() -> tuple[object, ...]:
        return tuple(map(tuple, (record(workspace)["stages"], record(workspace)["started"])))

    workspace.mkdir()
    faults, met, orphans = WriteFaults(workspace, moment), [], set()
    for fault in itertools.cycle(FAULTS):
        code = faults.carry_out(asked(recipe, workspace), fault)
        told = capsys.readouterr().err
        if faults.struck is None:
            assert code == 0, told
            break
        met.append((fault.name, str(faults.struck.relative_to(workspace))))
        assert code == fault.code, (met[-1], told)
        assert fault.message in told, (met[-1], told)
        if code == 1:
            assert f"error: {faults.struck}: " in told, (met[-1], told)
        assert "unexpected" not in told
        left = faults.struck.read_bytes() if faults.struck.exists() else None
        assert left == faults.before, met[-1]
        temporary = set(workspace.rglob(".tmp.*"))
        if fault is KILLED:  # It leaves its own, until that file is written the next time.
            orphans = temporary
        assert temporary <= orphans, met[-1]
    assert_ended_alike(workspace, whole)
    written = {name for _, name in met}
    assert written >= files(whole) - {".state/lock"}
    assert len([name for name in written if "checkpoint" in name or name.startswith(".state")]) > 3
    stages = stages_of(load_recipe(str(recipe)))
    assert sum(name == RECORD for _, name in met) >= 2 * len(stages)
    assert {name for name, _ in met} == {fault.name for fault in FAULTS}


def test_a_file_cut_short_makes_its_stage_run_again_and_ends_alike(
    recipe: Path, whole: Path, tmp_path: Path
) -> None:
    workspace = Path(shutil.copytree(whole, tmp_path / "cut"))
    for name in files(whole) - {".state/lock", RECORD}:
        cut_short(workspace / name)
    assert execute(asked(recipe, workspace)) == 0
    assert_ended_alike(workspace, whole)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def test_a_record_cut_short_is_named(
    recipe: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Path(shutil.copytree(whole, tmp_path / "cut"))
    cut_short(workspace / RECORD)
    before = {name: (workspace / name).read_bytes() for name in files(workspace)}
    assert execute(asked(recipe, workspace)) == 1
    told = capsys.readouterr().err
    assert f"the record of the run, {workspace / RECORD}, is damaged" in told
    assert "choose another --workspace, or delete the folder" in told
    del before[".state/lock"]
    assert before == {name: (workspace / name).read_bytes() for name in before}


@pytest.fixture(scope="module")
def stopped(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose run was killed where the export wrote its second variant."""
    workspace = tmp_path_factory.mktemp("runs") / "stopped"
    workspace.mkdir()
    faults = WriteFaults(workspace)
    with faults.strike(KILLED, at=workspace / "variants/w050.tflite"), pytest.raises(Killed):
        execute(asked(recipe, workspace))
    return workspace


@pytest.mark.parametrize("name", ["variants/w100.tflite", ".state/export/w100.json"])
def test_a_variant_of_a_stopped_export_that_was_cut_short_is_exported_again(
    name: str, recipe: Path, stopped: Path, whole: Path, tmp_path: Path
) -> None:
    workspace = Path(shutil.copytree(stopped, tmp_path / "cut"))
    cut_short(workspace / name)
    assert execute(asked(recipe, workspace)) == 0
    assert_ended_alike(workspace, whole)


def test_a_checkpoint_cut_short_is_named_and_without_it_the_training_begins_anew(
    recipe: Path, stopped: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Path(shutil.copytree(stopped, tmp_path / "cut"))
    (workspace / "elastic.keras").unlink()
    with (
        WriteFaults(workspace).strike(KILLED, at=workspace / "elastic.keras"),
        pytest.raises(Killed),
    ):
        execute(asked(recipe, workspace))
    checkpoint = workspace / ".state/joint_training/checkpoint.npz"
    cut_short(checkpoint)
    capsys.readouterr()
    assert execute(asked(recipe, workspace)) == 1
    told = capsys.readouterr().err
    assert f"error: {checkpoint} is damaged" in told
    assert "delete it to start anew" in told
    checkpoint.unlink()
    assert execute(asked(recipe, workspace)) == 0
    assert_ended_alike(workspace, whole)
