"""The stages that compare joint training, prune-and-grow and nets trained independently, on a tiny net."""

from pathlib import Path

import keras
import numpy as np
import pytest

from pipelines.experiments import stages_of
from pipelines.experiments.elastic import independent
from pipelines.experiments.elastic.recipe import ElasticRecipe as Recipe
from pipelines.progress import Reporter
from pipelines.stages import Run, run_stages
from pipelines.workspace import Workspace

pytestmark = pytest.mark.slow

#: The stage that trains by each method.
METHODS = {
    "independent": "independent",
    "joint": "joint_training",
    "prune_and_grow": "prune_and_grow",
}
_TRAINING = {"epochs": 2, "batch_size": 32, "optimizer": "adamw", "learning_rate": 0.02}


def _recipe(folder: Path) -> Recipe:
    net = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, use_bias=False, name="conv"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10),
        ]
    )
    net.save(folder / "net.keras")
    return Recipe.from_json(
        {
            "name": "tiny",
            "data": {"source": "digits", "image_size": 8, "limit": 200},
            "model": {"name": str(folder / "net.keras")},
            "ladder": {"widths": [1, 0.5]},
            "baseline": _TRAINING,
            "elastic": _TRAINING,
            "comparison": {},
            "export": {"calibration": 32},
        }
    )


def _compared(recipe: Recipe, folder: Path) -> dict:
    """Run all up to the comparison."""
    stages = stages_of(recipe)
    names = [stage.name for stage in stages]
    with Workspace.open(folder, recipe.name) as workspace:
        run = Run(recipe, workspace, Reporter(quiet=True), command="tfelastic run tiny")
        run_stages(run, stages[: names.index("comparison") + 1])
        entries = {name: workspace.entry(name) for name in names}
        return {name: entry.result for name, entry in entries.items() if entry}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return _recipe(tmp_path_factory.mktemp("net"))


@pytest.fixture(scope="module")
def finished(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return _compared(recipe, folder), folder


def test_without_a_comparison_there_are_no_such_stages() -> None:
    names = {stage.name for stage in stages_of(Recipe(name="plain"))}
    assert not names & {"prune_and_grow", "independent", "comparison"}


def test_every_rung_is_judged_by_all_methods(finished: tuple[dict, Path]) -> None:
    results, _ = finished
    rows = results["comparison"]["rungs"]
    assert [row["name"] for row in rows] == ["w100", "w050"]
    for row in rows:
        assert list(row["methods"]) == ["independent", "joint", "prune_and_grow"]
        for method, stage in METHODS.items():
            reached = results[stage]["scores"][row["name"]]
            assert row["methods"][method]["score_keras"] == pytest.approx(reached)
        difference = (
            row["methods"]["joint"]["score_keras"] - row["methods"]["independent"]["score_keras"]
        )
        pair = row["methods"]["joint"]["against_independent"]
        assert pair["difference"] == pytest.approx(difference)


def test_all_train_equally_long(finished: tuple[dict, Path]) -> None:
    results, _ = finished
    lengths = [len(history) for history in results["independent"]["histories"].values()]
    lengths += [len(history) for history in results["prune_and_grow"]["histories"].values()]
    assert [*lengths, len(results["joint_training"]["history"])] == [2] * 5


def test_a_rung_that_was_killed_goes_on_and_ends_the_same(
    recipe: Recipe, finished: tuple[dict, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, whole = finished
    from pipelines.stages.training import TrainingCheckpoint

    save, saved = TrainingCheckpoint.save, []

    def save_then_die(self, model, history) -> None:
        save(self, model, history)
        saved.append(self._file.path.stem)
        if saved[-2:] == ["w100", "w050"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingCheckpoint, "save", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        _compared(recipe, tmp_path / "killed")
    monkeypatch.setattr(TrainingCheckpoint, "save", save)
    _compared(recipe, tmp_path / "killed")
    for name in ("w100", "w050"):
        first, second = (
            keras.saving.load_model(folder / independent.keras_file(name)).get_weights()
            for folder in (whole, tmp_path / "killed")
        )
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)
