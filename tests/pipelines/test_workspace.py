import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import WorkspaceError
from pipelines.workspace import Workspace

RECIPE = "tiny"


def finish_a(workspace: Workspace, *files: str) -> None:
    workspace.finish("a", "", inputs={}, files=files, result={}, seconds=0)


def test_what_is_finished_is_finished_for_the_next_process_too(tmp_path):
    with Workspace.open(tmp_path / "w", RECIPE) as workspace:
        assert not workspace.finished("a")
        workspace.save_text("a.txt", "hello")
        workspace.finish(
            "a", "done", inputs={"seed": 0}, files=("a.txt",), result={"x": 1}, seconds=2.5
        )
    with Workspace.open(tmp_path / "w", RECIPE) as workspace:
        assert workspace.finished("a")
        entry = workspace.entry("a")
        assert entry is not None
        assert (entry.summary, entry.inputs) == ("done", {"seed": 0})
        assert (entry.result, entry.seconds) == ({"x": 1}, 2.5)


def test_a_stage_whose_file_is_gone_is_not_finished(tmp_path):
    with Workspace.open(tmp_path, RECIPE) as workspace:
        workspace.save_text("a.txt", "hello")
        finish_a(workspace, "a.txt")
        (tmp_path / "a.txt").unlink()
        assert not workspace.finished("a")
    with Workspace.open(tmp_path, RECIPE) as workspace:
        assert not workspace.finished("a")


def test_a_stage_that_starts_again_is_unfinished_until_it_ends(tmp_path):
    with Workspace.open(tmp_path, RECIPE) as workspace:
        finish_a(workspace)
        workspace.start("a", {"seed": 1}, go_on=False)
    with Workspace.open(tmp_path, RECIPE) as workspace:
        assert not workspace.finished("a")


def test_a_file_that_changed_makes_its_stage_unfinished(tmp_path):
    with Workspace.open(tmp_path, RECIPE) as workspace:
        workspace.save_text("a.txt", "hello")
        finish_a(workspace, "a.txt")
        assert workspace.finished("a")
        (tmp_path / "a.txt").write_text("other")
        assert not workspace.finished("a")


def test_what_a_stage_had_begun_stays_until_it_is_finished(tmp_path):
    with Workspace.open(tmp_path, RECIPE) as workspace:
        workspace.save_text(workspace.scratch_path("a", "half"), "half")
    with Workspace.open(tmp_path, RECIPE) as workspace:
        assert (tmp_path / workspace.scratch_path("a", "half")).read_text() == "half"
        finish_a(workspace)
        assert not (tmp_path / workspace.scratch_path("a", "half")).exists()


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


def test_another_recipe_is_refused_with_both_names(tmp_path):
    with Workspace.open(tmp_path, RECIPE) as workspace:
        finish_a(workspace)
    with pytest.raises(WorkspaceError) as caught, Workspace.open(tmp_path, "large"):
        pass
    for part in (str(tmp_path), "'tiny'", "'large'", "--workspace"):
        assert part in str(caught.value)


def test_two_runs_in_one_workspace_refuse_politely(tmp_path):
    program = (
        "import sys\n"
        "from pipelines.errors import WorkspaceError\n"
        "from pipelines.workspace import Workspace\n"
        "try:\n"
        "    with Workspace.open(sys.argv[1], 'tiny'):\n"
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
        finish_a(workspace)
    record = tmp_path / ".state/run.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "format": 99}))
    with pytest.raises(WorkspaceError, match="99"), Workspace.open(tmp_path, RECIPE):
        pass
