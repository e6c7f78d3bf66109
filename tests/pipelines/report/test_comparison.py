"""Several runs side by side."""

import copy
import json

import pytest

from pipelines.cli.entry import execute
from pipelines.report import compare_runs


@pytest.fixture
def workspaces(tmp_path, tree):
    """Two finished runs, of which the second is a point better and was timed elsewhere."""
    other = copy.deepcopy(tree)
    for variant in other["variants"]:
        variant["score_tflite"] += 0.01
    other["profile"]["device"] = {"processor": "Another CPU"}
    paths = []
    for name, each in (("first", tree), ("second", other)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(json.dumps(each))
        paths.append(str(tmp_path / name))
    return paths


def test_every_net_of_every_run_has_a_row(workspaces, capsys):
    assert execute(["report", *workspaces]) == 0
    printed = capsys.readouterr()
    rows = [line.split() for line in printed.out.splitlines() if line.startswith(("fir", "sec"))]
    assert [row[:2] for row in rows] == [
        [f"{run}:", name] for run in ("first", "second") for name in ("alone,", "w100", "w050")
    ]
    assert "98.60\u2009%" in printed.out
    assert "99.60\u2009%" in printed.out
    assert "different machines" in printed.err


def test_json_has_the_very_figures(workspaces, tree, capsys):
    assert execute(["report", *workspaces, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    first = found["runs"][0]
    assert (first["run"], first["baseline_score"]) == ("first", tree["baseline"]["score"])
    assert [net["score"] for net in first["nets"]] == [
        each["score_tflite"] for each in tree["variants"]
    ]
    assert first["nets"][0]["latency_us"] == 400


def test_the_page_shows_both_and_obeys_neither(workspaces, tmp_path, capsys):
    page = tmp_path / "both.html"
    assert execute(["report", *workspaces, "-o", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg ") == 1
    assert "first: w050" in text
    assert "&lt;mine&gt; &amp; yours" in text
    assert "<script" not in text


def test_what_cannot_be_compared_is_said(tree, read):
    other = copy.deepcopy(tree)
    other["baseline"]["metric"] = {"name": "mae", "higher_is_better": False}
    other["data"]["test"] = 5
    found = compare_runs({"a": read(tree), "b": read(other)})
    assert any("not comparable" in each for each in found.remarks)
    assert any("899 examples" in each and "on 5 of" in each for each in found.remarks)
    same = compare_runs({"a": read(tree), "b": read(copy.deepcopy(tree))})
    assert same.remarks == ()
    tree["data_sha256"], other = "ab" * 32, copy.deepcopy(tree)
    other["data_sha256"] = "cd" * 32
    assert "SHA-256" in compare_runs({"a": read(tree), "b": read(other)}).remarks[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [(["--markdown"], "one run"), (["-o", "both.txt"], "must end in .html")],
)
def test_options_of_one_run_are_refused_for_several(workspaces, capsys, options, says):
    assert execute(["report", *workspaces, *options]) == 2
    assert says in capsys.readouterr().err


def test_a_run_named_twice_and_a_page_of_one_run_are_refused(workspaces, capsys):
    assert execute(["report", workspaces[0], workspaces[0]]) == 2
    assert "named twice" in capsys.readouterr().err
    assert execute(["report", workspaces[0], "-o", "one.html"]) == 2
    assert "report.html" in capsys.readouterr().err
