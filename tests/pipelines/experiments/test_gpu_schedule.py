"""The command for a machine with a GPU, here on JAX's CPU: trained there up to a stage, gone on with elsewhere."""

import os
import subprocess
import sys

import keras
import pytest
import yaml

import tfelastic as te
from pipelines.errors import StageError
from pipelines.experiments import carry_out, load_recipe, prospects
from pipelines.progress import Reporter
from pipelines.stages import Run
from pipelines.workspace import Workspace

COMMAND = (sys.executable, "-c", "from pipelines.cli import main; main()")
TRAINING = {"epochs": 1, "batch_size": 32, "augment": None}


@pytest.fixture
def recipe(tmp_path):
    """A recipe's file; its schedule `paper` trains for longer."""
    net = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10),
        ]
    )
    net.save(tmp_path / "net.keras")
    tree = {
        "name": "tiny",
        "data": {"source": "digits", "image_size": 8, "limit": 96},
        "model": {"name": str(tmp_path / "net.keras")},
        "ladder": {"widths": [1, 0.5]},
        "baseline": TRAINING,
        "elastic": TRAINING,
        "schedules": {"paper": {"elastic": {"epochs": 2}}},
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tree))
    return str(tmp_path / "tiny.yaml")


def test_what_jax_has_trained_by_the_schedule_paper_is_kept_by_tensorflow(recipe, tmp_path):
    folder = tmp_path / "w"
    command = [*COMMAND, "run", recipe, "--schedule", "paper", "--until", "joint_training"]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [*command, "--one-process", "--workspace", str(folder)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    loaded = load_recipe(recipe, schedule="paper")
    assert loaded.elastic.epochs == 2
    run = Run(loaded, Workspace(folder, loaded.name), Reporter(quiet=True), command="")
    ahead = {each.stage.name: bool(each.reasons) for each in prospects(run)}
    assert not ahead["joint_training"]
    assert ahead["export"]
    assert keras.backend.backend() == "tensorflow"
    net = keras.saving.load_model(folder / "elastic.keras", compile=False)
    assert isinstance(net, te.ElasticModel)
    assert net.names == ("w100", "w050")


def test_a_stage_that_is_none_is_refused_with_those_there_are(recipe, tmp_path):
    loaded = load_recipe(recipe)
    with Workspace.open(tmp_path / "w", loaded.name) as workspace:
        run = Run(loaded, workspace, Reporter(quiet=True), command="")
        with pytest.raises(StageError, match="no stage 'training'; its stages are data, baseline"):
            carry_out(run, until="training")
