"""`tfelastic prune` as a user calls it: what it writes, tells and refuses."""

import json
import re
import shutil

import keras
import numpy as np
import pytest

import tfelastic as te
from pipelines.cli.entry import execute

layers = keras.layers


def net(filters: int = 32) -> keras.Model:
    x = inputs = keras.Input((16, 16, 3), name="image")
    for name in ("one", "two"):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(4, name="logits")(x), name="net")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("models") / "net.keras")
    net().save(path)
    return path


def outputs(path) -> np.ndarray:
    images = np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 3)).astype("float32")
    return keras.ops.convert_to_numpy(keras.saving.load_model(path)(images))


def test_it_prunes_under_the_budget_and_says_so(saved, tmp_path, capsys) -> None:
    out = str(tmp_path / "half.keras")
    assert execute(["prune", saved, "-o", out, "--budget", "macs=0.5"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert f"written: {out}" in told.out
    assert "macs binds" in told.out
    small = te.cost(keras.saving.load_model(out))
    assert small.macs <= te.cost(net()).macs / 2


def test_the_report_as_json(saved, tmp_path, capsys) -> None:
    out = tmp_path / "half.keras"
    limits = ["--budget", "params=0.5", "--budget", "peak_bytes=0.75"]
    assert execute(["prune", saved, "-o", str(out), *limits, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report.keys() == {"model", "before", "after", "groups", "frozen", "budget"}
    assert report["after"]["params"] == keras.saving.load_model(out).count_params()
    assert report["budget"]["binding"] in ("params", "peak_bytes")
    assert report["frozen"].keys() == {"logits"}
    assert report["groups"]["logits"] == {"kept": 4, "of": 4}


@pytest.mark.parametrize("strategy", ["global", "uniform", "complexity"])
def test_a_saved_plan_makes_the_same_model_again(saved, tmp_path, strategy) -> None:
    first, again, plan = (str(tmp_path / name) for name in ("a.keras", "b.keras", "plan.json"))
    made = ["--budget", "params=0.4", "--strategy", strategy, "--save-plan", plan]
    assert execute(["prune", saved, "-o", first, *made]) == 0
    assert execute(["prune", saved, "-o", again, "--plan", plan]) == 0
    np.testing.assert_array_equal(outputs(first), outputs(again))


def test_a_plan_is_refused_on_another_model(saved, tmp_path, capsys) -> None:
    plan, other, out = (str(tmp_path / name) for name in ("plan.json", "other.keras", "out.keras"))
    net(filters=24).save(other)
    arguments = ["-o", out, "--budget", "macs=0.5", "--save-plan", plan]
    assert execute(["prune", saved, *arguments]) == 0
    (tmp_path / "out.keras").unlink()
    capsys.readouterr()
    assert execute(["prune", other, "-o", out, "--plan", plan]) == 1
    told = capsys.readouterr()
    assert "the plan was made for a model of fingerprint" in told.err
    assert told.out == ""
    assert not (tmp_path / "out.keras").exists()


def test_of_several_budgets_of_one_resource_all_hold(saved, tmp_path) -> None:
    out = str(tmp_path / "half.keras")
    limits = ["--budget", "macs=0.5", "--budget", "macs=0.9"]
    assert execute(["prune", saved, "-o", out, *limits]) == 0
    assert te.cost(keras.saving.load_model(out)).macs <= te.cost(net()).macs / 2


def test_complexity_with_its_options(saved, tmp_path) -> None:
    plan = tmp_path / "plan.json"
    options = ["--mode", "flops", "--sampling", "weighted", "--seed", "3", "--round-to", "4"]
    arguments = ["-o", str(tmp_path / "o.keras"), "--budget", "macs=0.5", "--save-plan", str(plan)]
    assert execute(["prune", saved, "--strategy", "complexity", *options, *arguments]) == 0
    expected = te.plan(
        net(), strategy=te.Complexity(mode="flops", seed=3), budget=te.Budget(macs=0.5), round_to=4
    )
    assert te.KeepPlan.from_json(json.loads(plan.read_text())) == expected


@pytest.mark.parametrize("picture", ["net.compare.svg", "modes.png"])
def test_compare_tabulates_and_draws_every_mode(saved, tmp_path, capsys, picture) -> None:
    model = tmp_path / "net.keras"
    shutil.copy(saved, model)
    where = [] if picture.startswith("net") else ["-o", str(tmp_path / picture)]
    compare = ["prune", str(model), "--strategy", "complexity", "--compare", *where]
    assert execute([*compare, "--budget", "macs=0.4", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["modes"]) == ["params", "flops", "memory", "peak"]
    for row in report["modes"].values():
        plan = te.PruningTrace.from_json(row["pruning_trace"]).plan
        assert row["costs"].keys() == report["original"].keys()
        assert row["costs"]["macs"] == te.cost(net(), plan).macs <= report["limits"]["macs"]
    assert report["picture"] == str(tmp_path / picture)
    start = (tmp_path / picture).read_bytes()[:200]
    assert (
        start.startswith(b"\x89PNG")
        if picture.endswith("png")
        else b"<svg" in start or b"<?xml" in start
    )
    assert {path.name for path in tmp_path.iterdir()} == {"net.keras", picture}


def test_compare_with_measured_latencies(saved, tmp_path, capsys) -> None:
    arguments = ["--compare", "--measure", "-o", str(tmp_path / "c.svg"), "--budget", "macs=0.4"]
    assert execute(["prune", saved, "--strategy", "complexity", *arguments]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    head, *rows = re.findall(r"^  (mode|original|params|flops|memory|peak) .*", told.out, re.M)
    assert (head, rows) == ("mode", ["original", "params", "flops", "memory", "peak"])
    assert "latency, us" in told.out
    assert "…" not in told.out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--budget", "macs=0.5"], "give -o OUT.keras"),
        (["-o", "o.keras"], "either --budget or --plan"),
        (
            ["-o", "o.keras", "--budget", "macs=0.5", "--plan", "p.json"],
            "either --budget or --plan",
        ),
        (["-o", "o.keras", "--budget", "macs"], "expected one of params, macs"),
        (["-o", "o.keras", "--budget", "speed=0.5"], "expected one of params, macs"),
        (["-o", "o.keras", "--budget", "macs=half"], "'half' is no number"),
        (["-o", "o.keras", "--budget", "macs=-0.5"], "'macs=-0.5': expected a share up to 1"),
        (["-o", "o.keras", "--budget", "macs=1.5"], "was 150 % of the original meant?"),
        (
            ["-o", "o.keras", "--budget", "macs=0.5", "--save-plan", "no/folder/p.json"],
            "there is no folder no/folder",
        ),
        (["-o", "o.keras", "--plan", "p.json", "--round-to", "4"], "not with --plan"),
        (["-o", "o.h5", "--budget", "macs=0.5"], "must end in .keras"),
        (["-o", "no/folder/o.keras", "--budget", "macs=0.5"], "there is no folder no/folder"),
        (["-o", "o.keras", "--plan", "missing.json"], "cannot read the plan missing.json"),
        (
            ["-o", "o.keras", "--budget", "macs=0.5", "--mode", "peak"],
            "only with --strategy complexity",
        ),
        (["--compare"], "--compare: only with --strategy complexity"),
        (["--strategy", "complexity", "--compare", "-o", "o.keras"], "must end in .svg or .png"),
        (
            ["--strategy", "complexity", "--compare", "--mode", "peak"],
            "--mode: only with --strategy complexity, not with --compare",
        ),
        (["-o", "o.keras", "--budget", "macs=0.5", "--measure"], "--measure: only with --compare"),
        (["-o", "o.keras", "--strategy", "complexity", "--mode", "speed"], "'speed' is not one of"),
    ],
)
def test_wrong_usage_is_2(saved, capsys, arguments, part) -> None:
    assert execute(["prune", saved, *arguments]) == 2
    told = capsys.readouterr()
    assert part in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--budget", "params=3"], "the smallest plan for model 'net' still spends params"),
        (
            ["--budget", "params=3"],
            "allow more by --budget, lower --floor or --round-to, or --protect",
        ),
        (["--budget", "macs=0.5", "--strategy", "globe"], "did you mean 'global'?"),
        (["--budget", "macs=0.5", "--criterion", "l3"], "unknown criterion 'l3'"),
        (["--budget", "macs=0.5", "--protect", "three"], "cannot protect ['three']"),
    ],
)
def test_what_cannot_be_done_is_1_and_leaves_nothing(
    saved, tmp_path, capsys, arguments, part
) -> None:
    out = tmp_path / "out.keras"
    assert execute(["prune", saved, "-o", str(out), *arguments]) == 1
    assert part in capsys.readouterr().err
    assert not out.exists()


def test_a_file_that_is_no_model_or_is_missing(tmp_path, capsys) -> None:
    out = ["-o", str(tmp_path / "o.keras"), "--budget", "macs=0.5"]
    assert execute(["prune", str(tmp_path / "missing.keras"), *out]) == 2
    assert "there is no file" in capsys.readouterr().err
    (tmp_path / "text.keras").write_text("no model")
    assert execute(["prune", str(tmp_path / "text.keras"), *out]) == 1
    assert "is no .keras file" in capsys.readouterr().err


def test_an_elastic_network_is_told_what_serves_it(tmp_path, capsys) -> None:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(16, 3)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(4)(x))
    file = tmp_path / "elastic.keras"
    te.ElasticModel(model, te.ladder(model, widths=(1, 0.5))).save(file)
    out = str(tmp_path / "out.keras")
    assert execute(["prune", str(file), "-o", out, "--budget", "macs=0.5"]) == 2
    error = capsys.readouterr().err
    assert "elastic network of the rungs w100, w050" in error
    assert "tfelastic export" in error
    assert "net.cut('w050')" in error
