"""Each training has a process of its own, whose death is an error that names it."""

import os
import signal
from dataclasses import dataclass

import pytest

from pipelines.errors import StageError
from pipelines.progress import Reporter
from pipelines.recipe import Recipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage, run_stages
from pipelines.workspace import Workspace


@dataclass(frozen=True)
class Processes(Record):
    """In which process each net was trained, and which one ended the stage."""

    trained_in: dict[str, int]
    ended_in: int


def train_two(run: Run) -> Outcome[Processes]:
    found = {}
    for name in ("a", "b"):
        file = run.scratch_path(name)
        if not file.exists():
            run.on_training(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(str(os.getpid()))
        found[name] = int(file.read_text())
    return Outcome("done", Processes(found, os.getpid()), earlier_seconds=1e-3)


def crash(run: Run) -> Outcome[Processes]:
    run.on_training("a")
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def fail(run: Run) -> Outcome[Processes]:
    return run.recipe.elastic


def carry_out(path, work) -> Processes:
    stage = Stage("trainings", work, Processes, trains=True)
    recipe = Recipe(name="tiny", seed=3)
    with Workspace.open(path, "tiny") as workspace:
        run = Run(recipe, workspace, Reporter(quiet=True), command="again", set_up_process=print)
        run_stages(run, [stage])
        return run.result(stage)


def test_each_training_has_a_process_of_its_own(tmp_path):
    found = carry_out(tmp_path / "w", train_two)
    assert len({os.getpid(), *found.trained_in.values()}) == 3
    assert found.ended_in == found.trained_in["b"]


def test_the_death_of_a_process_is_an_error_that_names_the_training(tmp_path):
    with pytest.raises(StageError, match=r"'a' of the stage trainings died of SIGKILL.*are kept"):
        carry_out(tmp_path / "w", crash)


def test_an_error_comes_through_as_it_was_raised(tmp_path):
    with pytest.raises(AttributeError, match="elastic") as caught:
        carry_out(tmp_path / "w", fail)
    assert "in fail" in str(caught.value.__cause__)
