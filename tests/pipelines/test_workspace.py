import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.config import Recipe
from pipelines.workspace import Workspace, WorkspaceError, read_metrics

RECIPE = Recipe("tiny")


def test_what_is_finished_is_finished_for_the_next_process_too(tmp_path):
    with Workspace.open(tmp_path / "w", RECIPE) as workspace:
        assert not workspace.finished("a")
        workspace.save_text("a.txt", "hello")
        workspace.finish("a", files=("a.txt",), results={"x": 1}, seconds=2.5)
    with Workspace.open(tmp_path / "w", RECIPE) as workspace:
        assert workspace.finished("a")
        assert workspace.finished_stages == ("a",)
        assert workspace.results("a") == {"x": 1}
        assert workspace.seconds("a") == 2.5


def test_a_stage_whose_file_is_gone_is_not_finished(tmp_path):
    with Workspace.open(tmp_path, RECIPE) as workspace:
        workspace.save_text("a.txt", "hello")
        workspace.finish("a", files=("a.txt",), results={}, seconds=0)
        (tmp_path / "a.txt").unlink()
        assert not workspace.finished("a")
    with Workspace.open(tmp_path, RECIPE) as workspace:
        assert workspace.finished_stages == ()


def test_forgetting_a_stage_lasts_and_drops_what_it_had_begun(tmp_path):
    with Workspace.open(tmp_path, RECIPE) as workspace:
        workspace.finish("a", files=(), results={}, seconds=0)
        workspace.save_text(workspace.begun("b", "half"), "half")
        workspace.forget(["a", "b"])
        assert not (tmp_path / ".state/b").exists()
    with Workspace.open(tmp_path, RECIPE) as workspace:
        assert not workspace.finished("a")


def test_what_a_stage_had_begun_stays_until_it_is_finished(tmp_path):
    with Workspace.open(tmp_path, RECIPE) as workspace:
        workspace.save_text(workspace.begun("a", "half"), "half")
    with Workspace.open(tmp_path, RECIPE) as workspace:
        assert (tmp_path / workspace.begun("a", "half")).read_text() == "half"
        workspace.finish("a", files=(), results={}, seconds=0)
        assert not (tmp_path / workspace.begun("a", "half")).exists()


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    def fail(path: Path) -> None:
        path.write_text("half of it")
        raise OSError("disk full")

    with Workspace.open(tmp_path, RECIPE) as workspace:
        workspace.save_text("a.txt", "old")
        with pytest.raises(OSError, match="disk full"):
            workspace.save("a.txt", fail)
        assert (tmp_path / "a.txt").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".state", "a.txt"]


def test_another_recipe_is_refused_with_both_names_and_the_keys_that_differ(tmp_path):
    with Workspace.open(tmp_path, RECIPE) as workspace:
        workspace.finish("a", files=(), results={}, seconds=0)
    other = Recipe.from_json({"name": "large", "baseline": {"epochs": 77}})
    with pytest.raises(WorkspaceError) as caught, Workspace.open(tmp_path, other):
        pass
    text = str(caught.value)
    for part in (str(tmp_path), "'tiny'", "'large'", "baseline.epochs: 10", "77", "--workspace"):
        assert part in text


def test_moved_data_are_no_other_recipe(tmp_path):
    with Workspace.open(tmp_path, RECIPE) as workspace:
        workspace.finish("a", files=(), results={}, seconds=0)
    moved = Recipe.from_json({"name": "tiny", "data": {"data_dir": "elsewhere"}})
    with Workspace.open(tmp_path, moved) as workspace:
        assert workspace.finished("a")


def test_two_runs_in_one_workspace_refuse_politely(tmp_path):
    program = (
        "import sys\n"
        "from pipelines.config import Recipe\n"
        "from pipelines.workspace import Workspace, WorkspaceError\n"
        "try:\n"
        "    with Workspace.open(sys.argv[1], Recipe('tiny')):\n"
        "        pass\n"
        "except WorkspaceError as error:\n"
        "    sys.exit(str(error))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with Workspace.open(tmp_path, RECIPE):
        second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"process {os.getpid()} is running in {tmp_path}" in second.stderr
    assert subprocess.run(command, check=False).returncode == 0


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(WorkspaceError, match="holds no run"), Workspace.open(tmp_path, RECIPE):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_workspace_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(WorkspaceError, match="cannot use"),
        Workspace.open(tmp_path / "file" / "w", RECIPE),
    ):
        pass


def test_a_newer_record_is_refused(tmp_path):
    with Workspace.open(tmp_path, RECIPE) as workspace:
        workspace.finish("a", files=(), results={}, seconds=0)
    record = tmp_path / ".state/run.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "format": 99}))
    with pytest.raises(WorkspaceError, match="99"), Workspace.open(tmp_path, RECIPE):
        pass


def test_metrics_that_are_missing_or_broken_are_named(tmp_path):
    with pytest.raises(WorkspaceError, match=r"metrics\.json"):
        read_metrics(tmp_path)
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(WorkspaceError, match="not valid JSON"):
        read_metrics(tmp_path)
