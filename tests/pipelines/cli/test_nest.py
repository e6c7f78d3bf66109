"""Models that are not in the zoo, from a file and data to a bundle by one command."""

import json
import re
import shlex
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from PIL import Image
from tfelastic_runtime import Bundle

from pipelines.cli.entry import execute
from pipelines.experiments import load_recipe, read_metrics
from pipelines.workspace import Workspace

pytestmark = pytest.mark.slow

layers = keras.layers
_TINY = ("--epochs", "1", "--batch-size", "16", "--ladder", "widths=0.5", "-q")
_SHORT = tuple(
    word
    for assignment in (
        *("profile.runs=5", "selector.requests=5", "export.strays=keep", "export.keep_all=true"),
        *("export.calibration=8", "data.test_limit=8"),
    )
    for word in ("--set", assignment)
)


def two_branches() -> keras.Model:
    """A net for images of any size, whose branches are concatenated."""
    inputs = keras.Input((None, None, 3))
    scaled = layers.Rescaling(1 / 255)(inputs)
    branches = [
        layers.Conv2D(8, size, strides=2, padding="same", activation="relu")(scaled)
        for size in (3, 5)
    ]
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(layers.Concatenate()(branches))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def conv1d(units: int = 1) -> keras.Model:
    inputs = keras.Input((24, 2))
    x = layers.Conv1D(8, 3, activation="relu")(inputs)
    x = layers.GlobalMaxPooling1D()(layers.Conv1D(8, 3, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(units)(x))


def u_net() -> keras.Model:
    inputs = keras.Input((16, 16, 1))
    left = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(inputs))
    below = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.MaxPooling2D()(left))
    both = layers.Concatenate()([layers.UpSampling2D()(below), left])
    return keras.Model(inputs, layers.Conv2D(2, 1)(layers.Conv2D(8, 3, padding="same")(both)))


@pytest.fixture
def saved(tmp_path):
    """Writes a model and examples, and returns their paths."""

    def save(model: keras.Model, x: np.ndarray, y: np.ndarray, loss: object = None):
        if loss is not None:
            model.compile("adam", loss)
        model.save(tmp_path / "my net.keras")
        np.savez(tmp_path / "mine.npz", x=x, y=y)
        return str(tmp_path / "my net.keras"), str(tmp_path / "mine.npz")

    return save


def images(count: int, side: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)


def windows(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 24, 2)).astype(np.float32)


def next_commands(printed: str) -> list[str]:
    """Return the commands that are offered, with the device of `profile`."""
    return [" ".join(words[:1] + words[2:4] * ("--on" in words)) for words in next_steps(printed)]


def next_steps(printed: str) -> list[list[str]]:
    """Return the words of each command that is offered, but the first."""
    _, steps = printed.split("\nNext:\n")
    lines = re.findall(r"^ +tfelastic (.*)$", steps, re.M)
    return [shlex.split(line) for line in lines]


def planned(out: Path) -> dict:
    return yaml.safe_load((out / "recipe.yaml").read_text(encoding="utf-8"))


def test_classes_in_folders_become_a_bundle_and_run_goes_on_from_its_recipe(
    tmp_path, capsys, monkeypatch
):
    """The folder has no test split, its images are no squares, and the model leaves their size open."""
    model, data = str(tmp_path / "my net.keras"), str(tmp_path / "photos")
    two_branches().save(model)
    for number, image in enumerate(images(60, 16, 3)):
        file = Path(data) / "abc"[number % 3] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    out = tmp_path / "out"
    size = ("--image-size", "12x16")
    varied = ("--augment", "shift-flip")
    arguments = [
        "nest",
        model,
        "--data",
        data,
        *_TINY[:-1],
        *_SHORT,
        *size,
        *varied,
        "-o",
        str(out),
    ]
    assert execute(arguments) == 0
    printed, told = capsys.readouterr()
    assert "48 examples to train, 8 to test (drawn by seed 0), 12x16x3, 3 classes" in told
    assert [spec.shape for spec in Bundle.open(out / "model.elastic").manifest.inputs] == [
        (1, 12, 16, 3)
    ]
    assert next_commands(printed) == ["select", "profile --on android", "app", "run"]
    assert max(map(len, printed.splitlines())) < 300
    assert [each.name for each in Bundle.open(out / "model.elastic").variants] == ["w100", "w050"]
    monkeypatch.chdir(tmp_path)
    select, _, app, _ = next_steps(printed)
    named = ("--application-id", "com.example.birds", "--title", "Birds")
    assert execute(select) == execute([*app, *named]) == 0
    capsys.readouterr()
    assert "com.example.birds" in (tmp_path / "android/app/build.gradle.kts").read_text()
    assert read_metrics(out).metric.name == "accuracy"
    assert (out / "report.html").stat().st_size > 10_000
    tree = planned(out)
    assert (tree["name"], tree["task"], tree["baseline"]) == ("my-net", "classification", "none")
    assert tree["elastic"]["augment"] == "shift-flip"
    recipe = str(out / "recipe.yaml")
    assert execute(["run", recipe, "--workspace", str(out), "--dry-run", "--json"]) == 0
    assert [each["stage"] for each in json.loads(capsys.readouterr().out) if each["runs"]] == []
    assert execute([*arguments, "--epochs", "2", "--dry-run", "--json"]) == 0
    runs = [each["stage"] for each in json.loads(capsys.readouterr().out) if each["runs"]]
    assert runs[0] == "joint_training"
    assert planned(out) == tree


def test_a_conv1d_net_learns_a_quantity_for_a_microcontroller(saved, tmp_path, capsys, monkeypatch):
    x = windows(48)
    model, data = saved(conv1d(), x, np.abs(x).max(axis=(1, 2)), "mse")
    out = tmp_path / "out"
    options = ("--target", "tflm", "--baseline-epochs", "1", "--learning-rate", "0.002")
    arguments = ["nest", model, "--data", data, *_TINY, *_SHORT, *options, "-o", str(out)]
    assert execute(arguments) == 0
    printed = capsys.readouterr().out
    assert next_commands(printed) == ["select", "embed", "profile --on serial", "run"]
    monkeypatch.chdir(tmp_path)
    for words in next_steps(printed)[:2]:
        assert execute(words) == 0
    assert (tmp_path / "firmware" / "Makefile").exists()
    capsys.readouterr()
    assert execute([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["baseline"]["metric"]["name"] == "mae"
    tree = planned(out)
    assert (tree["task"], tree["ladder"]["round_to"]) == ("regression", 4)
    assert tree["baseline"]["epochs"] == 1
    assert tree["elastic"]["learning_rate"] == tree["baseline"]["learning_rate"] == 0.002
    assert tree["elastic"]["augment"] is None
    assert load_recipe(str(out / "recipe.yaml")).export.target == "tflm"


@pytest.mark.parametrize(
    ("build", "x", "y", "loss", "task"),
    [
        (u_net, images(20, 16, 1), images(20, 16, 1)[..., 0] // 128, None, "segmentation"),
        (conv1d, windows(20), np.arange(20) % 2, None, "classification"),
        (conv1d, windows(20), np.arange(20) % 2, "mse", "regression"),
        (conv1d, windows(20), np.arange(20.0), None, "regression"),
        (lambda: conv1d(3), windows(21), np.eye(3)[np.arange(21) % 3], None, "classification"),
        (
            lambda: conv1d(3),
            windows(20),
            np.ones((20, 3)),
            keras.losses.BinaryCrossentropy(from_logits=True),
            "multilabel",
        ),
    ],
)
def test_the_task_follows_from_loss_outputs_and_targets(
    saved, tmp_path, capsys, build, x, y, loss, task
):
    from pipelines.stages.task_inference import infer_task
    from tfelastic import data

    model = build()
    if loss is not None:
        model.compile("adam", loss)
    _, source = saved(model, x, y)
    assert infer_task(model, data.load(source)) == task


def test_what_leaves_the_task_open_is_said_with_the_option_that_helps(saved, tmp_path, capsys):
    loss = keras.losses.SparseCategoricalCrossentropy()
    model, data = saved(conv1d(3), windows(20), np.linspace(0, 1, 20), loss)
    out = str(tmp_path / "out")
    assert execute(["nest", model, "--data", data, "-o", out]) == 1
    assert "--task classification, multilabel" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_wrong_words_are_refused_before_any_work(saved, tmp_path, capsys):
    model, data = saved(conv1d(), windows(20), np.arange(20) % 2)
    out = ["-o", str(tmp_path / "out")]
    for wrong in ("speed", "latency=fast"):
        assert execute(["nest", model, "--data", data, "--ladder", wrong, *out]) == 2
        assert wrong in capsys.readouterr().err
    assert execute(["nest", model, "--data", data, "--ladder", "widths=0.5,0.75", *out]) == 1
    assert "widths that fall" in capsys.readouterr().err
    two = ("--task", "a=regression", "--task", "regression")
    assert execute(["nest", model, "--data", data, *two, *out]) == 2
    assert "OUTPUT=VALUE" in capsys.readouterr().err
    assert execute(["nest", "none.keras", "--data", data, *out]) == 2
    assert not (tmp_path / "out").exists()


_LAYER = """
import keras

@keras.saving.register_keras_serializable("mine")
class Doubled(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs
"""


def test_a_layer_of_the_users_own_is_imported_for_nest_and_for_run(saved, tmp_path, capsys):
    code = tmp_path / "layer_of_nest.py"
    code.write_text(_LAYER)
    names: dict = {"__name__": "layer_of_nest"}
    exec(_LAYER, names)
    inputs = keras.Input((24, 2))
    x = layers.Conv1D(8, 3)(names["Doubled"]()(inputs))
    net = keras.Model(inputs, layers.Dense(2)(layers.GlobalMaxPooling1D()(x)))
    model, data = saved(net, windows(20), np.arange(20) % 2)
    del keras.saving.get_custom_objects()["mine>Doubled"]
    out = tmp_path / "out"
    arguments = ["nest", model, "--data", data, "-o", str(out), "--dry-run"]
    assert execute(arguments) == 1
    assert "--import" in capsys.readouterr().err
    assert execute([*arguments, "--import", str(code)]) == 0
    assert "joint_training" in capsys.readouterr().out
    assert Workspace(out, "my-net").entry("data") is None
