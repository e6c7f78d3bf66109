"""Model files as people have them: with code of their own, damaged, or something else."""

import json
import os
import zipfile

import click
import keras
import numpy as np
import pytest

from pipelines.cli import model_file
from pipelines.cli.entry import execute

_LAYERS = """
import keras

@keras.saving.register_keras_serializable("mine")
class Double(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs

if __name__ != "layers_of_a_test":
    raise RuntimeError(f"imported as {__name__}")
"""


@pytest.fixture
def custom(tmp_path):
    """A model with a layer whose code lies beside it, and that code; the layer is not registered here."""
    code = tmp_path / "layers_of_a_test.py"
    code.write_text(_LAYERS)
    names: dict = {"__name__": "layers_of_a_test"}
    exec(_LAYERS, names)
    inputs = keras.Input((8, 8, 3))
    x = names["Double"]()(keras.layers.Conv2D(8, 3)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    model.save(tmp_path / "net.keras")
    del keras.saving.get_custom_objects()["mine>Double"]
    return tmp_path / "net.keras", code


def test_code_of_the_users_is_named_and_run_when_asked_for(custom, capsys):
    model, code = custom
    assert execute(["inspect", str(model)]) == 1
    error = capsys.readouterr().err
    assert "Could not locate class 'Double'" in error
    assert "tfelastic --import my_layers.py" in error
    assert execute(["--import", str(code), "inspect", str(model), "--json"]) == 0
    assert "Double" in capsys.readouterr().out


def test_code_that_fails_is_told_with_its_own_error(custom, capsys, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0")
    assert execute(["--import", str(broken), "inspect", str(custom[0])]) == 1
    assert "broken.py failed: ZeroDivisionError" in capsys.readouterr().err
    assert execute(["--import", "no_such_module", "inspect", str(custom[0])]) == 1
    assert "No module named 'no_such_module'" in capsys.readouterr().err


def test_a_model_that_was_compiled_and_never_trained_keeps_its_loss(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", keras.losses.Huber(delta=0.5))
    model.save(tmp_path / "net.keras")
    with click.Context(click.Command("load")):
        loaded = model_file.load(str(tmp_path / "net.keras"))
    assert isinstance(loaded.loss, keras.losses.Huber)
    assert np.array_equal(loaded.layers[-1].kernel, model.layers[-1].kernel)


def flipped(data):
    """Change a bit of every hundredth byte of the first half; the archive's directory is in the second."""
    damaged = np.frombuffer(data, np.uint8).copy()
    damaged[50 : len(damaged) // 2 : 100] ^= 4
    return damaged.tobytes()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "is no .keras file"),
        (lambda data: b"just text", "is no .keras file"),
        (lambda data: data[: len(data) // 2], "only a part of one"),
        (flipped, "cannot be loaded as a Keras model"),
    ],
)
def test_a_damaged_file_is_named_and_no_surprise(damage, message, tmp_path, capsys):
    file = tmp_path / "my net ü.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(file)
    file.write_bytes(damage(file.read_bytes()))
    assert execute(["inspect", str(file)]) == 1
    error = capsys.readouterr().err
    assert str(file) in error
    assert message in error
    assert "unexpected" not in error


def test_names_with_spaces_and_letters_of_all_kinds_are_read(tmp_path, capsys):
    file = tmp_path / "my net ü.keras"
    inputs = keras.Input((4,), name="größe")
    keras.Model(inputs, keras.layers.Dense(2, name="ausgänge 1")(inputs)).save(file)
    assert execute(["inspect", str(file)]) == 0
    assert "ausgänge 1" in capsys.readouterr().out


def test_a_folder_is_no_model_file(tmp_path, capsys):
    assert execute(["inspect", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_lambda_s_code_in_a_file_is_not_run(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    inputs = keras.Input((4,))
    code = keras.layers.Lambda(lambda x: [__import__("os").mkdir("ran"), x][1])
    keras.Model(inputs, keras.layers.Dense(2)(code(inputs))).save(name)
    os.rmdir("ran")
    assert execute(["inspect", name]) == 1
    error = capsys.readouterr().err
    assert f"{name} cannot be loaded as a Keras model" in error
    assert "unsafe" in error
    assert os.listdir() == [name]


@pytest.mark.parametrize(
    "named",
    [
        {"module": "os", "class_name": "system", "config": {"command": "touch ran"}},
        {"module": "builtins", "class_name": "function", "config": "eval"},
        {"module": "subprocess", "class_name": "Popen", "config": {"args": ["touch", "ran"]}},
    ],
)
def test_a_model_cannot_name_code_outside_of_keras(named, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(2, activation="relu")(inputs)).save("net.keras")

    def name(config):
        config["config"]["layers"][1]["config"]["activation"] = {**named, "registered_name": None}

    forged("net.keras", name)
    assert execute(["inspect", "net.keras"]) == 1
    error = capsys.readouterr().err
    assert "net.keras cannot be loaded as a Keras model" in error
    assert os.listdir() == ["net.keras"]


def forged(file, change):
    """Change the config in a .keras file."""
    with zipfile.ZipFile(file) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(held["config.json"])
    change(config)
    held["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in held.items():
            archive.writestr(name, data)
