"""`tfelastic prune --strategy blocks` removes what the held-out images miss least, and says how it went."""

import json
from pathlib import Path

import keras
import pytest

import tfelastic as te
from pipelines.cli.entry import execute

pytestmark = pytest.mark.slow


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
    assert set(found.steps[0].scores) == {"a", "b"}
    assert report["validation_images"] == 89
    assert report["budget"]["gap"] > 0
    written = keras.saving.load_model(out)
    assert written.count_params() == report["after"]["params"]
    test = te.data.load("digits", image_size=8).test
    assert te.Accuracy(test.images, test.labels)(written) == report["test_accuracy"]["after"]


def test_a_search_that_was_cut_short_goes_on(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["prune", str(model), "-o", str(tmp_path / "out.keras"), "--budget", "params=0.5"]
    command += ["--strategy", "blocks", "--data", "digits", "--json"]
    kept = ["--checkpoint", str(tmp_path / "kept")]
    assert execute([*command, "--fine-tune-epochs", "1"]) == 0
    whole = json.loads(capsys.readouterr().out)
    tune, tuned = te.FineTuning.__call__, []

    def tune_then_die(self: te.FineTuning, net: keras.Model) -> object:
        if tuned:
            raise KeyboardInterrupt
        tuned.append(net)
        return tune(self, net)

    monkeypatch.setattr(te.FineTuning, "__call__", tune_then_die)
    assert execute([*command, "--fine-tune-epochs", "1", *kept]) == 130
    monkeypatch.setattr(te.FineTuning, "__call__", tune)
    assert execute([*command, "--fine-tune-epochs", "1", *kept]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["search"] == whole["search"]
    assert again["test_accuracy"] == whole["test_accuracy"]


def test_a_criterion_that_needs_images_gets_them(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["prune", str(model), "-o", str(tmp_path / "out.keras"), "--budget", "macs=0.5"]
    options = ["--round-to", "1", "--criterion", "taylor", "--data", "digits"]
    plan = tmp_path / "plan.json"
    assert execute([*command, *options, "--save-plan", str(plan)]) == 0
    loaded = keras.saving.load_model(model)
    images = te.data.load("digits", image_size=8, limit=512).train
    taylor = te.criteria.Taylor(images.images.astype("float32"), images.labels)
    expected = te.plan(loaded, budget=te.Budget(macs=0.5), criterion=taylor, round_to=1)
    assert te.KeepPlan.from_json(json.loads(plan.read_text())) == expected


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--strategy", "blocks"], "need --data"),
        (["--criterion", "taylor"], "need --data"),
        (["--data", "digits"], "need --data"),
        (["--checkpoint", "x"], "only with --strategy blocks"),
    ],
)
def test_options_that_need_each_other(
    model: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    assert execute(["prune", str(model), "-o", "x.keras", "--budget", "macs=0.5", *options]) == 2
    assert told in capsys.readouterr().err
