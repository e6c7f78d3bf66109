"""Recipes that remove blocks or prune by complexity, on tiny nets, from the data to the report."""

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import tfelastic as te
from pipelines.cli.summary import print_summary
from pipelines.errors import StageError
from pipelines.experiments import carry_out, content_of, parse_recipe, read_metrics, stages_of
from pipelines.experiments.block_removal import block_search
from pipelines.progress import Reporter
from pipelines.recipe import Recipe
from pipelines.report import render
from pipelines.report.markdown import section
from pipelines.stages import PairedDifference, Run, run_stages
from pipelines.workspace import Workspace

pytestmark = pytest.mark.slow

_TRAINING = {"epochs": 2, "batch_size": 32, "optimizer": "adamw", "learning_rate": 0.02}
_TUNING = {"images": 64, "batch_size": 32, "augment": "shift"}
_SHARED = {
    "data": {"source": "digits", "image_size": 8, "limit": 300},
    "baseline": _TRAINING,
    "profile": {"runs": 10},
}


def _net() -> keras.Model:
    """Return a net with two blocks of unequal size."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, strides=2, name="stem")(layers.Rescaling(1 / 255)(inputs))
    x = layers.BatchNormalization(name="norm")(x)
    for name, size in (("a", 3), ("b", 1)):
        y = layers.Conv2D(8, size, padding="same", activation="relu", name=f"{name}1")(x)
        x = layers.Add(name=name)([x, y])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name="tiny")


def _run(recipe: Recipe, folder: Path) -> Path:
    with Workspace.open(folder, recipe.name) as workspace:
        run = Run(recipe, workspace, Reporter(quiet=True), command="tfelastic run tiny")
        carry_out(run)
    return folder


def _metrics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("net") / "net.keras"
    _net().save(path)
    return str(path)


@pytest.fixture(scope="module")
def removal(net: str) -> Recipe:
    blocks = {
        "budget": {"params": 0.8},
        "compared": 1,
        "validation_images": 60,
        "test_images": 200,
        "fine_tuning": _TUNING,
        "final_training": {**_TRAINING, "epochs": 1},
    }
    export = {"scheme": "float32", "calibration": 16}
    model = {"name": net}
    return parse_recipe(
        {"name": "b", "model": model, "block_removal": blocks, "export": export, **_SHARED}
    )


@pytest.fixture(scope="module")
def removed(removal: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _run(removal, tmp_path_factory.mktemp("runs") / "blocks")


@pytest.fixture(scope="module")
def complexity(net: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    comparisons = [{"budget": {"macs": 0.6}, "modes": ["params", "peak"]}]
    recipe = parse_recipe(
        {
            "name": "c",
            "model": {"name": net},
            "complexity": {"comparisons": comparisons, "round_to": 2},
            "export": {"calibration": 32},
            **_SHARED,
        }
    )
    return _run(recipe, tmp_path_factory.mktemp("runs") / "complexity")


def test_all_orders_take_as_many_blocks_and_the_last_search_meets_the_budget(removed: Path) -> None:
    found = _metrics(removed)
    reports = {
        name: te.BlockReport.from_json(each["search"]) for name, each in found["searches"].items()
    }
    last = reports.pop("budget")
    assert last.steps[-1].spent["params"] <= 0.8 * last.original_cost["params"]
    assert {len(each.steps) for each in reports.values()} == {1}
    baseline = keras.saving.load_model(removed / "baseline.keras")
    for name, order in (
        ("random", te.random_blocks(baseline, seed=0)),
        ("smallest", te.smallest_blocks(baseline)),
    ):
        assert reports[name].plan.removed == order[:1]
        assert reports[f"untuned_{name}"].plan.removed == order[:1]
    assert reports["untuned_direct"].plan == reports["direct"].plan


def test_without_fine_tuning_the_weights_stay_and_the_statistics_are_measured_anew(
    removed: Path,
) -> None:
    baseline = keras.saving.load_model(removed / "baseline.keras")
    left = keras.saving.load_model(removed / block_search.keras_file("untuned_direct"))
    statistics = []
    for layer in left.layers:
        whole = baseline.get_layer(layer.name)
        for after, before in zip(layer.weights, whole.weights, strict=True):
            same = np.array_equal(after.numpy(), before.numpy())
            if after.name.startswith("moving_"):
                statistics.append(same)
            else:
                assert same, after.path
    assert statistics
    assert not any(statistics)


def test_steps_are_judged_on_held_out_images_and_reported_on_test_images(
    removal: Recipe, removed: Path
) -> None:
    with Workspace.open(removed, removal.name) as workspace:
        run = Run(removal, workspace, Reporter(quiet=True), command="again")
        tests, training, validation = (
            block_search.test_subset(run),
            run.training_split,
            run.validation_split,
        )
    assert (len(training), len(validation), len(tests)) == (240, 60, 200)
    baseline = keras.saving.load_model(removed / "baseline.keras")
    found = _metrics(removed)
    direct = found["searches"]["direct"]
    assert te.Accuracy(validation.images, validation.labels)(baseline) == direct["search"]["score"]
    left = keras.saving.load_model(removed / block_search.keras_file("direct"))
    assert te.Accuracy(tests.images, tests.labels)(left) == pytest.approx(direct["tests"][-1])
    for prefix in ("", "untuned_"):
        first = found["searches"][f"{prefix}direct"]["tests"]
        for name in ("random", "smallest"):
            each = found["searches"][prefix + name]
            for ahead, behind, pair in zip(first, each["tests"], each["lead"], strict=True):
                apart = PairedDifference.from_json(pair).difference
                assert apart == pytest.approx(ahead - behind)


def test_width_cuts_stand_beside_each_step(removed: Path) -> None:
    metrics = _metrics(removed)
    rows = metrics["depth_vs_width"]
    steps = metrics["searches"]["budget"]["search"]["steps"]
    assert [row["net"]["macs"] for row in rows[1:]] == [step["spent"]["macs"] for step in steps]
    for row in rows[1:]:
        cut = row["width_cut"]
        assert cut is None or cut["macs"] <= row["net"]["macs"]
        assert row["net"]["latency_us"] > 0
    pruned = keras.saving.load_model(removed / "pruned.keras")
    assert pruned.count_params() == metrics["nets"][-1]["params"] == rows[-1]["net"]["params"]


def test_a_killed_fine_tuning_goes_on_and_ends_the_same(
    removal: Recipe, removed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "killed"
    shutil.copytree(removed, folder)
    stages = {stage.name: stage for stage in stages_of(removal)}
    call, called = te.FineTuning.__call__, []

    def die_after_the_first(self: te.FineTuning, model: keras.Model) -> object:
        called.append(model)
        history = call(self, model)
        if len(called) == 1:
            raise KeyboardInterrupt
        return history

    monkeypatch.setattr(te.FineTuning, "__call__", die_after_the_first)
    with Workspace.open(folder, removal.name) as workspace:
        workspace.start("direct", {}, go_on=False)
        run = Run(removal, workspace, Reporter(quiet=True), command="again")
        with pytest.raises(KeyboardInterrupt):
            run_stages(run, [stages["direct"]])
        run_stages(run, [stages["direct"]])
        result = run.result(stages["direct"])
    assert len(called) == 2
    assert result.search == _metrics(removed)["searches"]["direct"]["search"]
    whole, again = (
        np.load(each / block_search.answers_file("direct"))["right"] for each in (removed, folder)
    )
    np.testing.assert_array_equal(whole, again)


def test_more_judges_than_images_are_refused(removal: Recipe, tmp_path: Path) -> None:
    tree = removal.to_json()
    tree["block_removal"]["validation_images"] = 300
    with pytest.raises(StageError, match="validation_images holds out 300 examples"):
        _run(parse_recipe(tree), tmp_path / "w")


def test_nets_are_trained_once_beside_one_that_is_trained_twice(complexity: Path) -> None:
    metrics = _metrics(complexity)
    original = metrics["original"]
    (comparison,) = metrics["comparisons"]
    assert [row["method"] for row in comparison["rows"]] == ["params", "peak", "ranked"]
    for row in comparison["rows"]:
        assert row["macs"] <= 0.6 * original["macs"]
        assert row["activation_bytes"] <= original["activation_bytes"]
        assert row["arena_bytes"] <= original["arena_bytes"]
    *direct, ranked = comparison["rows"]
    assert ranked["seconds"] > original["seconds"]
    for row in direct:
        pair = PairedDifference.from_json(row["against_ranked"])
        difference = row["score_keras"] - ranked["score_keras"]
        assert pair.difference == pytest.approx(difference)
    assert [len(history) for history in metrics["trainings"].values()] == [2, 2, 2]


def test_direct_training_starts_from_nothing_and_follows_the_plan(complexity: Path) -> None:
    ways = json.loads((complexity / "plans.json").read_text())
    metrics = _metrics(complexity)
    whole = keras.saving.load_model(complexity / "baseline.keras")
    for row in metrics["comparisons"][0]["rows"][:-1]:
        plan = te.PruningTrace.from_json(ways[f"macs0.6-{row['method']}"]).plan
        net = keras.saving.load_model(complexity / f"pruned/macs0.6-{row['method']}.keras")
        assert net.count_params() == te.cost(whole, plan).params == row["params"]
    assert list(metrics["seconds"]).index("direct_training") < list(metrics["seconds"]).index(
        "baseline"
    )


@pytest.mark.parametrize("kind", ["removed", "complexity"])
def test_page_markdown_and_terminal_tell_the_same(
    kind: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = request.getfixturevalue(kind)
    metrics = read_metrics(folder)
    content = content_of(metrics)
    page, text = render(metrics, content), section(metrics, content)
    assert page == (folder / "report.html").read_text(encoding="utf-8")
    print_summary(metrics, content, folder)
    printed = capsys.readouterr().out
    titles = [line[4:] for line in text.splitlines() if line.startswith("### ")]
    assert titles
    for title in titles:
        assert f"<h2>{title}</h2>" in page
        assert title in printed
    cells = {
        cell.strip() for line in text.splitlines() if line[:2] == "| " for cell in line.split("|")
    }
    for cell in cells - {"---", "---:", ""}:
        assert cell in page
        assert cell in printed
    assert page.count("<svg ") == (7 if kind == "removed" else 4)
    assert ("<h2>Blocks kept</h2>" in page) == (kind == "removed")
