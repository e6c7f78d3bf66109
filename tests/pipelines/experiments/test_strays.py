"""A variant that strays from its Keras model, or is hardly faster than another, is left out and reported, or kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest
from tfelastic_runtime import Bundle

import tflite_export as tx
from pipelines.errors import StageError
from pipelines.experiments import carry_out, content_of, read_metrics
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.progress import Reporter
from pipelines.report import render
from pipelines.stages import Run
from pipelines.workspace import Workspace
from tflite_export import _export

_TRAINING = {
    "epochs": 1,
    "batch_size": 32,
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "augment": None,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that further runs take their trainings from."""
    folder = tmp_path_factory.mktemp("strays")
    keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10),
        ]
    ).save(folder / "net.keras")
    return folder


@pytest.fixture
def straying(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the variants that shall stray."""
    names: set[str] = set()
    export_variant = tx.export_variant

    def strict(net: Any, name: str, *args: Any, **options: Any) -> Any:
        if name in names:
            bounds = options["tolerance"]
            options["tolerance"] = replace(bounds, mean_difference=0.0, max_difference=0.0)
        return export_variant(net, name, *args, **options)

    monkeypatch.setattr(tx, "export_variant", strict)
    return names


def run(folder: Path, strays: str, *, keep_all: bool = True, threads: int = 1) -> None:
    """Carry the recipe out."""
    recipe = ElasticRecipe.from_json(
        {
            "name": "tiny",
            "data": {"source": "digits", "image_size": 8, "limit": 200},
            "model": {"name": str(folder / "net.keras")},
            "ladder": {"widths": [1, 0.5]},
            "baseline": _TRAINING,
            "elastic": _TRAINING,
            "export": {
                "calibration": 32,
                "strays": strays,
                "tolerance": 20.0,
                "keep_all": keep_all,
            },
            "profile": {"runs": 5, "threads": threads},
            "selector": {"requests": 5},
        }
    )
    with Workspace.open(folder / "w", recipe.name) as workspace:
        carry_out(Run(recipe, workspace, Reporter(), command="tfelastic run tiny"))


def packed(folder: Path) -> list[str]:
    return [each.name for each in Bundle.open(folder / "w" / "model.elastic").variants]


def test_one_that_strays_is_reported_and_left_out_and_the_others_are_packed(
    folder: Path, straying: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    straying.add("w050")
    run(folder, "leave out")
    said = capsys.readouterr().err
    assert "warning: w050 strays from its Keras model and is left out of the bundle: mean" in said
    assert packed(folder) == ["w100"]
    metrics: Any = read_metrics(folder / "w")
    assert [each.name for each in metrics.variants] == ["w100"]
    assert [each.name for each in metrics.left_out] == ["w050"]
    content = content_of(metrics)
    page = render(metrics, content)
    row = next(line for line in content.sections[0].lines if line.startswith("| w050"))
    assert row.endswith("| – |")
    assert not any("narrowest" in each.caption for each in content.key_figures)
    assert "w050 strays from its Keras model and was left out of the bundle: mean" in page


def test_it_is_kept_on_request(folder: Path, straying: set[str]) -> None:
    straying.add("w050")
    run(folder, "keep")
    assert packed(folder) == ["w100", "w050"]
    metrics: Any = read_metrics(folder / "w")
    assert metrics.variants[1].strays
    assert metrics.left_out == ()
    assert "was kept as asked" in render(metrics, content_of(metrics))


def test_it_ends_the_run_only_where_the_recipe_says_so(folder: Path, straying: set[str]) -> None:
    straying.add("w050")
    with pytest.raises(StageError, match=r"'w050'.*strays.*export\.strays"):
        run(folder, "stop")


def test_a_run_of_which_every_variant_strays_ends(folder: Path, straying: set[str]) -> None:
    straying |= {"w100", "w050"}
    with pytest.raises(StageError, match=r"'w100'.*strays"):
        run(folder, "leave out")


@pytest.mark.parametrize(("narrow_us", "left"), [(95.0, ["w100"]), (50.0, ["w100", "w050"])])
def test_one_that_is_hardly_faster_is_left_out_with_one_line_unless_all_are_kept(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    narrow_us: float,
    left: list[str],
) -> None:
    turns_us = {"w100": [100.0] * 8, "w050": [narrow_us] * 8}
    monkeypatch.setattr(_export, "time_in_turns", lambda files, **_: turns_us)
    # An untrained net's own scores would decide at random.
    scores = {"w100": 0.9, "w050": 0.8}
    score = property(lambda report: scores[report.name])
    monkeypatch.setattr(tx.VariantReport, "signed_score", score)
    # Another count of threads, so that the variants are timed anew.
    run(folder, "keep", keep_all=False, threads=1 + (narrow_us < 90))
    assert packed(folder) == left
    metrics: Any = read_metrics(folder / "w")
    assert [each.name for each in metrics.variants] == left
    reason = "1.05x as fast as w100, expected at least 1.10x, and less accurate"
    said = capsys.readouterr().err
    assert (f"w050 is left out: {reason}; export.keep_all keeps it" in said) == (len(left) == 1)
    page = render(metrics, content_of(metrics))
    assert (f"w050 was left out of the bundle: {reason}" in page) == (len(left) == 1)
