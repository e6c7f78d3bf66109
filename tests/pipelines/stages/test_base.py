import pytest

from pipelines.config import Recipe
from pipelines.stages import Reporter, Run, Stage, StageError, run_stages, stages_of
from pipelines.stages.base import Outcome
from pipelines.workspace import Workspace

RECIPE = Recipe("tiny")


class Diary:
    """Makes stages that write down that they ran, and may fail."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.broken: set[str] = set()

    def stage(self, name: str) -> Stage:
        def run(run: Run) -> Outcome:
            self.entries.append(name)
            if name in self.broken:
                raise KeyboardInterrupt
            run.workspace.save_text(f"{name}.txt", name)
            return Outcome(f"{name} done", files=(f"{name}.txt",), results={"name": name})

        return Stage(name, run)

    def run(self, path, names: str) -> list[str]:
        self.entries.clear()
        stages = [self.stage(name) for name in names]
        with Workspace.open(path, RECIPE) as workspace:
            run = Run(RECIPE, workspace, Reporter(quiet=True), command="again")
            run_stages(run, stages)
        return self.entries


def test_stages_run_in_order_and_once(tmp_path):
    diary = Diary()
    assert diary.run(tmp_path, "abc") == ["a", "b", "c"]
    assert diary.run(tmp_path, "abc") == []


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    diary = Diary()
    diary.broken = {"b"}
    with pytest.raises(KeyboardInterrupt):
        diary.run(tmp_path, "abc")
    diary.broken = set()
    assert diary.run(tmp_path, "abc") == ["b", "c"]


def test_a_stage_whose_file_is_gone_runs_again_and_so_do_those_after_it(tmp_path):
    diary = Diary()
    diary.run(tmp_path, "abc")
    (tmp_path / "b.txt").unlink()
    diary.broken = {"b"}
    with pytest.raises(KeyboardInterrupt):
        diary.run(tmp_path, "abc")
    diary.broken = set()
    assert diary.run(tmp_path, "abc") == ["b", "c"]


def test_a_missing_package_is_told_before_any_work(tmp_path):
    diary = Diary()
    stages = [diary.stage("a"), Stage("b", diary.stage("b").run, needs=("no_such_package",))]
    with Workspace.open(tmp_path, RECIPE) as workspace:
        run = Run(RECIPE, workspace, Reporter(quiet=True), command="again")
        with pytest.raises(StageError, match=r"b needs no_such_package.*pip install"):
            run_stages(run, stages)
    assert diary.entries == []


def test_the_stages_are_those_of_the_main_job():
    names = [stage.name for stage in stages_of(Recipe("tiny"))]
    assert names == [
        "data",
        "baseline",
        "ladder",
        "elastic",
        "export",
        "bundle",
        "profile",
        "selector",
        "report",
    ]


def test_data_that_changed_in_mid_run_are_refused(tmp_path):
    from pipelines.stages import data

    small = Recipe.from_json({"name": "tiny", "data": {"limit": 20}})
    with Workspace.open(tmp_path, small) as workspace:
        run = Run(small, workspace, Reporter(quiet=True), command="again")
        outcome = data.STAGE.run(run)
        changed = {**outcome.results, "sha256": "0" * 64}
        workspace.finish("data", files=(), results=changed, seconds=0)
        with pytest.raises(StageError, match="no longer holds the images"):
            _ = Run(small, workspace, Reporter(quiet=True), command="again").dataset


def test_a_data_directory_is_for_tfds_alone(tmp_path):
    recipe = Recipe.from_json({"name": "tiny", "data": {"data_dir": str(tmp_path)}})
    with Workspace.open(tmp_path / "w", recipe) as workspace:
        run = Run(recipe, workspace, Reporter(quiet=True), command="again")
        with pytest.raises(StageError, match=r"digits.*--data-dir"):
            _ = run.dataset


def test_a_prepared_directory_may_be_named_as_data_directory(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("tfelastic.data.load", lambda source, **options: asked.append(source))
    (tmp_path / "dataset_info.json").touch()
    spec = {"source": "tfds:cifar10", "data_dir": str(tmp_path)}
    recipe = Recipe.from_json({"name": "tiny", "data": spec})
    with Workspace.open(tmp_path / "w", recipe) as workspace:
        _ = Run(recipe, workspace, Reporter(quiet=True), command="again").dataset
    assert asked == [str(tmp_path)]
