"""`tfelastic inspect` as a user calls it."""

import json
import os
import subprocess
import sys

import keras
import pytest

import tfelastic as te
from pipelines.cli.entry import execute

layers = keras.layers


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, padding="same", name="stem")(inputs)
    x = layers.Add(name="add")([x, layers.Conv2D(16, 3, padding="same", name="branch")(x)])
    x = layers.Flatten(name="flat")(x)
    path = str(tmp_path_factory.mktemp("models") / "net.keras")
    keras.Model(inputs, layers.Dense(4, name="logits")(x), name="net").save(path)
    return path


def test_it_prints_layers_groups_blocks_and_cost(saved, capsys) -> None:
    assert execute(["inspect", saved]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    for part in (
        "stem",
        "branch",
        "logits",
        "prunable",
        "frozen: an output of the model",
        "block add",
    ):
        assert part in told.out
    assert f"{te.cost(keras.saving.load_model(saved)).params:,}" in told.out


def test_the_same_as_json(saved, capsys) -> None:
    assert execute(["inspect", saved, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == {"model", "fingerprint", "cost", "groups", "blocks", "opaque"}
    graph = te.trace(keras.saving.load_model(saved))
    assert told["fingerprint"] == graph.fingerprint
    assert te.Cost.from_json(told["cost"]) == te.cost(graph)
    assert [group["name"] for group in told["groups"]] == [group.name for group in graph.groups]
    assert [block["name"] for block in told["blocks"]] == ["add"]


def test_a_missing_file_and_one_that_holds_no_model(tmp_path, capsys) -> None:
    assert execute(["inspect", str(tmp_path / "missing.keras")]) == 2
    assert "there is no file" in capsys.readouterr().err
    (tmp_path / "text.keras").write_text("no model")
    assert execute(["inspect", str(tmp_path / "text.keras")]) == 1
    assert "is no .keras file" in capsys.readouterr().err
    assert execute(["inspect"]) == 2


@pytest.fixture(scope="module")
def elastic(saved, tmp_path_factory) -> str:
    model = keras.saving.load_model(saved)
    path = str(tmp_path_factory.mktemp("elastic") / "elastic.keras")
    te.ElasticModel(model, te.ladder(model, widths=(1, 0.5), depths=(1, 0.1))).save(path)
    return path


def test_an_elastic_network_shows_its_ladder(elastic, capsys) -> None:
    net = keras.saving.load_model(elastic)
    assert execute(["inspect", elastic]) == 0
    out = capsys.readouterr().out
    for name in net.names:
        assert name in out
        assert f"{net.cut(name).count_params():,}" in out
    assert "without add" in out
    assert execute(["inspect", elastic, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [rung["name"] for rung in found["ladder"]] == list(net.names)
    assert found["ladder"][-1]["params"] == net.cut(net.names[-1]).count_params()
    assert found["groups"]


def test_the_backend_does_not_greet_the_terminal(saved) -> None:
    """In a process of its own, where TensorFlow starts anew."""
    start = "from pipelines.cli import main; main()"
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-c", start, "inspect", saved]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stderr == ""


def test_no_name_and_no_reason_is_cut_off(tmp_path, capsys) -> None:
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", name="a_rather_long_convolution_name_" * 3)(x)
    for number in range(4):
        x = layers.Add()([x, layers.LayerNormalization(name=f"stage_{number}_" * 5)(x)])
    path = str(tmp_path / "names.keras")
    model = keras.Model(inputs, layers.Dense(2, name="logits")(layers.Flatten()(x)))
    model.save(path)
    assert execute(["inspect", path]) == 0
    text = capsys.readouterr().out
    assert "…" not in text
    for layer in model.layers[1:]:
        assert layer.name in text


def test_a_model_of_open_size_shows_what_is_known(tmp_path, capsys) -> None:
    x = inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(8, 3, padding="same", name="stem")(x)
    path, out = str(tmp_path / "open.keras"), str(tmp_path / "out.keras")
    keras.Model(inputs, layers.Conv2D(1, 1, name="map")(x), name="open").save(path)
    assert execute(["inspect", path]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("stem"))
    assert row.split() == ["stem", "Conv2D", "?", "x", "?", "x", "8", "224", "?", "?"]
    assert execute(["inspect", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cost"] is None
    assert execute(["prune", path, "-o", out, "--budget", "params=0.5"]) == 0
    assert keras.saving.load_model(out).count_params() <= 0.5 * 233
