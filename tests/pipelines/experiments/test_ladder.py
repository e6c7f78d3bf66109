"""The ladder stage: widths, or what rungs may spend; a latency ladder by a table in a file or a measured one."""

import math
from pathlib import Path

import keras
import pytest

import tfelastic as te
from pipelines.errors import RecipeError
from pipelines.experiments import stages_of
from pipelines.experiments.elastic.ladder import TABLE_FILE
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.progress import Reporter
from pipelines.stages import Run, run_stages
from pipelines.workspace import Workspace
from tflite_export._profile import operations


def recipe(folder: Path, **ladder: object) -> ElasticRecipe:
    """Return a recipe that takes a trained net as it stands and cuts it by `ladder`."""
    keras.utils.set_random_seed(0)
    keras.backend.clear_session()  # Layers without a name are numbered from 1 again.
    net = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(32, 3, name="first", activation="relu"),
            keras.layers.Conv2D(32, 3, name="second", activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10),
        ]
    )
    net.save(folder / "net.keras")
    return ElasticRecipe.from_json(
        {
            "name": "tiny",
            "data": {"source": "digits", "image_size": 8, "limit": 100},
            "model": {"name": str(folder / "net.keras")},
            "baseline": "none",
            "ladder": ladder,
        }
    )


def planned_by(folder: Path, **ladder: object) -> tuple[te.Ladder, set[str]]:
    """Run all stages up to the ladder; return it and the names of the workspace's files."""
    cut = recipe(folder, **ladder)
    stages = stages_of(cut)
    names = [stage.name for stage in stages]
    with Workspace.open(folder / "run", cut.name) as workspace:
        run = Run(cut, workspace, Reporter(quiet=True), command="tfelastic run tiny")
        run_stages(run, stages[: names.index("ladder") + 1])
        files = {path.name for path in (folder / "run").iterdir()}
        return te.Ladder.from_json(run.read_json("ladder.json")), files


def test_rungs_by_a_resource_that_needs_no_table(tmp_path: Path) -> None:
    ladder, files = planned_by(tmp_path, budgets={"resource": "macs", "shares": [0.6, 0.3]})
    assert ladder.names == ("m100", "m060", "m030")
    assert TABLE_FILE not in files


def test_a_latency_ladder_is_priced_by_this_machine_or_by_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock of a machine at work would decide what can be saved: each pair of channels takes a nanosecond instead.
    monkeypatch.setattr(
        operations,
        "measure_files",
        lambda files, **_: {point: 0.001 * math.prod(point.channels) for point in files},
    )
    by_latency = {"resource": "latency_us", "shares": [0.7]}
    ladder, files = planned_by(tmp_path, budgets=by_latency)
    assert ladder.names == ("t100", "t070")
    assert TABLE_FILE in files
    table = tmp_path / "table.json"
    te.LatencyTable.load(tmp_path / "run" / TABLE_FILE).save(table)
    again = tmp_path / "again"
    again.mkdir()
    same, files = planned_by(again, budgets={**by_latency, "table": str(table)})
    assert same == ladder
    assert TABLE_FILE not in files


@pytest.mark.parametrize(
    ("ladder", "text"),
    [
        ({"budgets": {"resource": "macs", "shares": [0.5, 0.6]}}, "shares that fall from below 1"),
        ({"budgets": {"resource": "macs", "shares": []}}, "shares that fall from below 1"),
        (
            {"budgets": {"resource": "macs", "shares": [0.5], "table": "t.json"}},
            "none beside this resource",
        ),
        (
            {"budgets": {"resource": "macs", "shares": [0.5]}, "widths": [1, 0.5]},
            "none beside widths or depths",
        ),
        ({"budgets": {"resource": "energy", "shares": [0.5]}}, "resource"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, ladder: dict, text: str) -> None:
    with pytest.raises(RecipeError, match=text):
        ElasticRecipe.from_json({"name": "tiny", "ladder": ladder})
