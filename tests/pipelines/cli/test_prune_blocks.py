"""`tfelastic prune --strategy blocks` removes what the held-out images miss least, and says how it went."""

import json
from pathlib import Path

import keras
import pytest

import tfelastic as te
from pipelines.cli import execute


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two blocks on small images of one channel."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, padding="same")(keras.layers.Rescaling(1 / 255)(inputs))
    for name in "ab":
        y = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
        x = keras.layers.Add(name=name)([x, y])
    x = keras.layers.GlobalAveragePooling2D()(x)
    path = tmp_path / "net.keras"
    keras.Model(inputs, keras.layers.Dense(10)(x), name="net").save(path)
    return path


def test_a_search_from_the_shell(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.keras"
    command = ["prune", str(model), "-o", str(out), "--budget", "params=0.8", "--json"]
    options = ["--strategy", "blocks", "--data", "digits", "--fine-tune-epochs", "1"]
    assert execute([*command, *options]) == 0
    report = json.loads(capsys.readouterr().out)
    found = te.BlockReport.from_json(report["search"])
    assert len(found.steps) == 1
    assert set(found.steps[0].accuracies) == {"a", "b"}
    assert report["judged_by"] == 89
    assert report["budget"]["gap"] > 0
    written = keras.saving.load_model(out)
    assert written.count_params() == report["after"]["params"]
    test = te.data.load("digits", image_size=8).test
    assert te.Accuracy(test.images, test.labels)(written) == report["test_accuracy"]["after"]


@pytest.mark.parametrize("options", [["--strategy", "blocks"], ["--data", "digits"]])
def test_blocks_and_data_go_together(
    model: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert execute(["prune", str(model), "-o", "x.keras", "--budget", "macs=0.5", *options]) == 2
    assert "--strategy blocks needs --data" in capsys.readouterr().err
