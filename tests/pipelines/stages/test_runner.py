"""Stages run in order and once, and again only where something that they read has changed."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import RecipeError, StageError, WorkspaceError
from pipelines.progress import Reporter
from pipelines.recipe import Recipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage, data, foresee, run_stages
from pipelines.stages.runner import changes
from pipelines.workspace import Workspace

RECIPE = Recipe(name="tiny")


@dataclass(frozen=True)
class Found(Record):
    """What a stage of these tests finds."""

    value: str


class Diary:
    """Makes stages that write down that they ran; each finds `found[name]`, and may fail."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.broken: set[str] = set()
        self.found: dict[str, str] = {}

    def stage(self, name: str, **reads: Any) -> Stage[Found]:
        """Return a stage that leaves a file, and a result."""

        def run(run: Run[Recipe]) -> Outcome[Found]:
            self.entries.append(name)
            if name in self.broken:
                raise KeyboardInterrupt
            value = self.found.get(name, name)
            run.workspace.save_text(f"{name}.txt", value)
            return Outcome(f"{name} done", Found(value), files=(f"{name}.txt",))

        return Stage(name, run, Found, **reads)

    def chain(self, names: str) -> list[Stage[Found]]:
        """Return stages of which each reads the one before."""
        stages: list[Stage[Found]] = []
        for name in names:
            stages.append(self.stage(name, stages=tuple(stages[-1:])))
        return stages

    def run(self, path: Path, stages: list[Stage[Found]], recipe: Recipe = RECIPE) -> list[str]:
        """Run the stages and return which of them ran."""
        self.entries.clear()
        with running(path, recipe) as run:
            run_stages(run, stages)
        return list(self.entries)


@contextlib.contextmanager
def running(path: Path, recipe: Recipe = RECIPE) -> Iterator[Run[Recipe]]:
    """Open a workspace for a run of the recipe."""
    with Workspace.open(path, recipe.name) as workspace:
        yield Run(recipe, workspace, Reporter(quiet=True), command="again")


@pytest.fixture
def diary() -> Diary:
    return Diary()


def test_stages_run_in_order_and_once(diary: Diary, tmp_path: Path) -> None:
    assert diary.run(tmp_path, diary.chain("abc")) == ["a", "b", "c"]
    assert diary.run(tmp_path, diary.chain("abc")) == []


def test_a_stopped_run_goes_on_where_it_was(diary: Diary, tmp_path: Path) -> None:
    diary.broken = {"b"}
    with pytest.raises(KeyboardInterrupt):
        diary.run(tmp_path, diary.chain("abc"))
    diary.broken = set()
    assert diary.run(tmp_path, diary.chain("abc")) == ["b", "c"]


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_text("other")])
def test_a_stage_whose_file_is_gone_or_changed_runs_again(
    diary: Diary, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    diary.run(tmp_path, diary.chain("abc"))
    harm(tmp_path / "b.txt")
    assert diary.run(tmp_path, diary.chain("abc")) == ["b"], "b left what it had left before"
    harm(tmp_path / "b.txt")
    diary.found["b"] = "another outcome"
    assert diary.run(tmp_path, diary.chain("abc")) == ["b", "c"]


def test_a_changed_key_reruns_the_stages_that_read_it_and_keeps_the_others(
    diary: Diary, tmp_path: Path
) -> None:
    def stages() -> list[Stage[Found]]:
        first = diary.stage("first", keys=("seed",))
        second = diary.stage("second", keys=("baseline.epochs",), stages=(first,))
        return [first, second, diary.stage("third", keys=("profile",), stages=(first,))]

    def changed(**sections: Any) -> Recipe:
        return Recipe.from_json({"name": "tiny", **sections})

    diary.run(tmp_path, stages())
    assert diary.run(tmp_path, stages(), changed(baseline={"epochs": 3})) == ["second"]
    assert diary.run(tmp_path, stages(), changed(baseline={"epochs": 3, "batch_size": 7})) == []
    assert diary.run(tmp_path, stages(), changed(profile={"runs": 7})) == ["second", "third"]
    assert diary.run(tmp_path, stages(), changed(seed=1)) == ["first", "third"]


def test_a_changed_file_is_noticed_by_its_content(diary: Diary, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.png").write_text("a")

    def files(recipe: Recipe) -> Mapping[str, Path]:
        return {"images": folder}

    stages = [diary.stage("reader", files=files)]
    assert diary.run(tmp_path / "w", stages) == ["reader"]
    (folder / "a.png").unlink()
    (folder / "a.png").write_text("a")
    assert diary.run(tmp_path / "w", stages) == [], "the content is the same"
    (folder / "a.png").write_text("b")
    assert diary.run(tmp_path / "w", stages) == ["reader"]
    (folder / "b.png").write_text("b")
    assert diary.run(tmp_path / "w", stages) == ["reader"]


def test_what_a_killed_try_kept_serves_only_the_same_inputs(diary: Diary, tmp_path: Path) -> None:
    def begin(run: Run[Recipe]) -> Outcome[Found]:
        kept = run.scratch_path("epoch")
        before = kept.read_text() if kept.exists() else ""
        run.workspace.save_text(kept, before + "I")
        diary.entries.append(before)
        raise KeyboardInterrupt

    stage = Stage("slow", begin, Found, keys=("seed",))
    for seed in (0, 0, 1, 1):
        with (
            running(tmp_path, Recipe(name="tiny", seed=seed)) as run,
            pytest.raises(KeyboardInterrupt),
        ):
            run_stages(run, [stage])
    assert diary.entries == ["", "I", "", "I"]


def forget_key(workspace: Path, key: str) -> None:
    """Make a workspace's record one from before recipes had the key."""
    path = workspace / ".state" / "run.json"
    record = json.loads(path.read_text())
    for inputs in (
        *(each["inputs"] for each in record["stages"].values()),
        *record["started"].values(),
    ):
        inputs.pop(key)
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(("epochs", "again"), [(10, []), (11, ["training"])])
def test_a_key_that_was_added_later_concerns_a_finished_stage_where_it_is_not_the_default(
    diary: Diary, tmp_path: Path, epochs: int, again: list[str]
) -> None:
    stages = [diary.stage("training", keys=("baseline",))]
    recipe = Recipe.from_json({"name": "tiny", "baseline": {"epochs": epochs}})
    diary.run(tmp_path, stages, recipe)
    forget_key(tmp_path, "baseline.epochs")
    assert diary.run(tmp_path, stages, recipe) == again


def test_a_property_that_was_added_later_has_a_default_as_well(
    diary: Diary, tmp_path: Path
) -> None:
    stages = [diary.stage("training", keys=("validation_images",))]
    held_out = Recipe.from_json({"name": "tiny", "data": {"validation_images": 8}})
    for recipe, again in ((RECIPE, []), (held_out, ["training"])):
        diary.run(tmp_path, stages, recipe)
        forget_key(tmp_path, "validation_images")
        assert diary.run(tmp_path, stages, recipe) == again


@pytest.mark.parametrize(("epochs", "kept"), [(10, True), (11, False)])
def test_a_key_that_was_added_later_concerns_a_stopped_stage_where_it_is_not_the_default(
    diary: Diary, tmp_path: Path, epochs: int, kept: bool
) -> None:
    def stop(run: Run[Recipe]) -> Outcome[Found]:
        file = run.scratch_path("epoch")
        diary.entries.append(str(file.exists()))
        run.workspace.save_text(file, "1")
        raise KeyboardInterrupt

    stage = Stage("slow", stop, Found, keys=("baseline.epochs", "seed"))
    recipe = Recipe.from_json({"name": "tiny", "baseline": {"epochs": epochs}})
    for _ in range(2):
        with running(tmp_path, recipe) as run:
            expected = "it was stopped, and goes on" if kept else "it was not finished yet"
            if diary.entries:
                assert foresee(run, [stage])[0].reasons == (expected,)
            with pytest.raises(KeyboardInterrupt):
                run_stages(run, [stage])
        forget_key(tmp_path, "baseline.epochs")
    assert diary.entries == ["False", str(kept)]


def test_a_record_of_a_stopped_stage_that_is_a_digest_is_read_and_not_gone_on_with(
    diary: Diary, tmp_path: Path
) -> None:
    stages = diary.chain("ab")
    diary.broken.add("b")
    with pytest.raises(KeyboardInterrupt):
        diary.run(tmp_path, stages)
    path = tmp_path / ".state" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "started": {"b": "5e884898"}}))
    diary.broken.clear()
    assert diary.run(tmp_path, stages) == ["b"]


def test_a_section_of_defaults_is_not_a_section_left_out() -> None:
    section = {"comparison.distillation": True}
    assert [*changes({"comparison": None}, section, section)] == ["comparison is gone: it was None"]
    assert [*changes(section, {"comparison": None}, {})] == [
        "comparison is new: None",
        "comparison.distillation is gone: it was True",
    ]


def test_a_dry_run_tells_what_runs_and_why(diary: Diary, tmp_path: Path) -> None:
    first = diary.stage("first", keys=("baseline.epochs",))
    stages = [first, diary.stage("second", stages=(first,)), diary.stage("third")]
    diary.run(tmp_path, stages)
    changed = Recipe.from_json({"name": "tiny", "baseline": {"epochs": 3}})
    with running(tmp_path, changed) as run:
        found = {each.stage.name: each.reasons for each in foresee(run, stages)}
    assert found == {
        "first": ("baseline.epochs was 10 and is 3",),
        "second": ("the stage first runs",),
        "third": (),
    }
    assert diary.run(tmp_path, stages, changed) == ["first"]


@pytest.mark.parametrize("key", ["seed", "export.scheme", "model"])
def test_a_stage_sees_only_the_keys_that_it_declares(tmp_path: Path, key: str) -> None:
    def read(run: Run[Recipe]) -> Outcome[Found]:
        value: Any = run.recipe
        for name in key.split("."):
            value = getattr(value, name)
        return Outcome("", Found(str(value)))

    with running(tmp_path) as run:
        run_stages(run, [Stage("honest", read, Found, keys=(key,))])
        with pytest.raises(StageError, match=rf"dishonest reads the recipe's key {key}.*declare"):
            run_stages(run, [Stage("dishonest", read, Found, keys=("export.target",))])


def test_a_stage_sees_only_the_stages_that_it_declares(diary: Diary, tmp_path: Path) -> None:
    first = diary.stage("first")

    def read(run: Run[Recipe]) -> Outcome[Found]:
        return Outcome("", run.result(first))

    with running(tmp_path) as run:
        run_stages(run, [first, Stage("honest", read, Found, stages=(first,))])
        with pytest.raises(StageError, match=r"dishonest reads the stage first.*declare"):
            run_stages(run, [Stage("dishonest", read, Found)])


def test_a_missing_package_is_reported_before_any_work(diary: Diary, tmp_path: Path) -> None:
    stages = [diary.stage("a"), diary.stage("b", packages=("no_such_package",))]
    with (
        running(tmp_path) as run,
        pytest.raises(StageError, match=r"b needs no_such_package.*pip install"),
    ):
        run_stages(run, stages)
    assert diary.entries == []


def test_a_run_of_another_recipe_is_left_alone(diary: Diary, tmp_path: Path) -> None:
    diary.run(tmp_path, diary.chain("a"))
    with pytest.raises(WorkspaceError, match=r"'tiny'.*'large'.*--workspace"):
        diary.run(tmp_path, diary.chain("a"), Recipe(name="large"))


def test_data_that_change_in_mid_run_are_refused(tmp_path: Path) -> None:
    small = Recipe.from_json({"name": "tiny", "data": {"limit": 20}})
    with running(tmp_path, small) as run:
        run_stages(run, [data.STAGE])
        entry = run.workspace.entry("data")
        assert entry is not None
        changed = {**entry.result, "sha256": "0" * 64}
        run.workspace.finish("data", "", inputs=entry.inputs, files=(), result=changed, seconds=0)
        with pytest.raises(StageError, match="changed while the run was under way"):
            _ = Run(small, run.workspace, Reporter(quiet=True), command="again").dataset


def test_moved_data_are_the_same_data(tmp_path: Path) -> None:
    here, there = (
        Recipe.from_json({"name": "tiny", "data": {"data_dir": place}}) for place in (None, "x")
    )
    assert data.STAGE.own_inputs(here)["data.source"] == "digits"
    assert not any("data_dir" in name for name in data.STAGE.own_inputs(here))
    assert here.fingerprint == there.fingerprint


def test_a_data_directory_is_for_tfds_alone(tmp_path: Path) -> None:
    recipe = Recipe.from_json({"name": "tiny", "data": {"data_dir": str(tmp_path)}})
    with (
        running(tmp_path / "w", recipe) as run,
        pytest.raises(StageError, match=r"digits.*--data-dir"),
    ):
        _ = run.dataset


def test_a_prepared_directory_may_be_named_as_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("tfelastic.data.load", lambda source, **options: asked.append(source))
    (tmp_path / "dataset_info.json").touch()
    spec = {"source": "tfds:cifar10", "data_dir": str(tmp_path)}
    recipe = Recipe.from_json({"name": "tiny", "data": spec})
    with running(tmp_path / "w", recipe) as run:
        _ = run.dataset
    assert asked == [str(tmp_path)]


def test_features_of_tfds_are_named_in_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("tfelastic.data.load", lambda source, **options: asked.append(options))
    spec = {"source": "tfds:pets", "features": ["image", "segmentation_mask"]}
    recipe = Recipe.from_json({"name": "tiny", "data": spec})
    with running(tmp_path, recipe) as run:
        _ = run.dataset
    assert asked[0]["features"] == ("image", "segmentation_mask")
    assert data.STAGE.own_inputs(recipe)["data.features"] == ["image", "segmentation_mask"]
    with pytest.raises(RecipeError, match=r"data\.features: expected the names of an input's"):
        Recipe.from_json({"name": "tiny", "data": {"features": ["image"]}})


def test_limits_keep_so_many_examples_to_train_and_to_test(tmp_path: Path) -> None:
    recipe = Recipe.from_json({"name": "tiny", "data": {"limit": 20, "test_limit": 30}})
    with running(tmp_path, recipe) as run:
        assert (len(run.dataset.train), len(run.dataset.test)) == (20, 30)
