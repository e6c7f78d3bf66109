"""Several devices and processes that train one net reach what one reaches, and a lost process costs no ended epoch."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

import pipelines
from pipelines.errors import StageError
from pipelines.experiments import load_recipe, parse_recipe
from pipelines.progress import Reporter
from pipelines.stages import Run, devices, run_stages
from pipelines.workspace import Workspace
from tests.pipelines.stages import joint_process

SCRIPT = Path(joint_process.__file__)
TRAINING = {"epochs": 2, "batch_size": 16, "learning_rate": 0.05, "augment": "shift"}


def net(*, norm: bool) -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(8, 3, kernel_regularizer=keras.regularizers.L2(1e-3)),
        *([keras.layers.BatchNormalization()] if norm else []),
        keras.layers.ReLU(),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(10),
    ]
    return keras.Sequential([keras.Input((8, 8, 1)), *layers])


@pytest.fixture
def tree():
    return {
        "name": "tiny",
        "data": {"source": "digits", "image_size": 8, "limit": 48, "test_limit": 16},
        "baseline": "none",
        "ladder": {"widths": [1, 0.5]},
        "elastic": TRAINING,
    }


def written(tmp_path: Path, tree: dict, *, norm: bool) -> Path:
    name = f"{tree.get('distribution', 'alone')}{'_norm' if norm else ''}"
    net(norm=norm).save(tmp_path / f"{name}.keras")
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**tree, "model": {"name": f"{name}.keras"}}))
    return path


def processes(recipe: Path, folder: Path, *, dies_after: int | None = None):
    """Start two processes of two devices each; the second may die. Return both when they have ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = []
    for number in range(2):
        environment = {
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
            "PYTHONPATH": str(Path(pipelines.__file__).parents[1]),
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{port}",
            "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
            "KERAS_DISTRIBUTION_PROCESS_ID": str(number),
        }
        last = [str(dies_after)] if dies_after and number else []
        command = [sys.executable, SCRIPT, recipe, folder, *last]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env=environment, text=True, **pipes))
    return [(each, *each.communicate(timeout=600)) for each in started]


def alone(tmp_path: Path, tree: dict, *, norm: bool) -> list[np.ndarray]:
    """Return the weights that one process reaches, on one device."""
    recipe = load_recipe(str(written(tmp_path, tree, norm=norm)))
    with Workspace.open(tmp_path / "alone", recipe.name) as workspace:
        run = Run(recipe, workspace, Reporter(quiet=True), command="again")
        run_stages(run, joint_process.STAGES)
    return weights(tmp_path / "alone")


def weights(folder: Path) -> list[np.ndarray]:
    return keras.saving.load_model(folder / "elastic.keras", compile=False).get_weights()


def test_two_processes_reach_the_weights_of_one_although_one_was_lost_on_the_way(tmp_path, tree):
    recipe = written(tmp_path, {**tree, "distribution": "jax-data-parallel"}, norm=True)
    folder = tmp_path / "joint"
    (first, _, told), (second, _, _) = processes(recipe, folder, dies_after=1)
    assert second.returncode == -9
    assert first.returncode == 1
    assert "as a rule because one of them was lost" in told
    assert "give each the same command again" in told
    (first, output, told), (second, _, told_second) = processes(recipe, folder)
    assert (first.returncode, second.returncode) == (0, 0), told + told_second
    assert output.endswith("4 devices\n")  # Gloo says a few words before.
    history = Workspace(folder, "tiny").entry("joint_training").result["history"]
    assert [epoch["epoch"] for epoch in history] == [1, 2]
    for joint, single in zip(weights(folder), alone(tmp_path, tree, norm=True), strict=True):
        np.testing.assert_allclose(joint, single, rtol=1e-3, atol=1e-5)


def test_mirrored_devices_reach_the_weights_of_one(tmp_path, tree):
    """Without BatchNorm: its statistics are each device's own while it trains there, and measured anew afterwards."""
    tree["distribution"] = "mirrored"
    arguments = []
    for norm in (False, True):
        # Of five rungs a step draws which it trains.
        widths = [1, 0.875, 0.75, 0.625, 0.5] if norm else [1, 0.5]
        ladder = {"widths": widths, "round_to": 1}
        arguments += [
            written(tmp_path, {**tree, "ladder": ladder}, norm=norm),
            tmp_path / f"{norm}",
        ]
    ran = subprocess.run(
        [sys.executable, SCRIPT.with_name("mirrored_training.py"), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(pipelines.__file__).parents[1])},
        timeout=600,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "2 devices\n2 devices\n"
    tree |= {"ladder": {"widths": [1, 0.5], "round_to": 1}}
    del tree["distribution"]
    found = weights(tmp_path / "False")
    for mirrored, single in zip(found, alone(tmp_path, tree, norm=False), strict=True):
        np.testing.assert_allclose(mirrored, single, rtol=1e-3, atol=1e-5)
    history = Workspace(tmp_path / "True", "tiny").entry("joint_training").result["history"]
    assert history[1]["loss"] < history[0]["loss"]
    assert all(np.isfinite(each).all() for each in weights(tmp_path / "True"))


@pytest.mark.parametrize(
    ("distribution", "batch_size", "environment", "text"),
    [
        ("jax-data-parallel", 16, {}, r"for Keras' jax backend, and this one is tensorflow; set KERAS_BACKEND=jax"),
        (None, 16, {"KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}, r"set distribution: jax-data-parallel, or unset"),
        ("mirrored", 16, {"KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}, r"2 processes are to train together, .* mirrored"),
        (None, 16, {"KERAS_DISTRIBUTION_NUM_PROCESSES": "two"}, r"counts processes from 0 .* received None and 'two'"),
        ("mirrored", 15, {}, r"2 devices share each batch .* elastic.batch_size is 15; set it .* such as 16"),
    ],
)  # fmt: skip
def test_what_cannot_be_spread_is_refused_before_it_is_trained(
    monkeypatch, tree, distribution, batch_size, environment, text
):
    tree |= {"distribution": distribution, "baseline": TRAINING, "model": {"name": "resnet8"}}
    tree["elastic"] = {**TRAINING, "batch_size": batch_size}
    monkeypatch.setattr(devices, "_tensorflow_devices", lambda: ["CPU:0", "CPU:1"])
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StageError, match=text):
        devices.require_distribution(parse_recipe(tree))
