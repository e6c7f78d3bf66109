"""The page of results: one table and one picture from the records there are, and what is missing."""

import copy
import json

import pytest

from benchmarks.results_page import EXPECTED, page, read_records, recipe_of, record_of
from tests.support.run_metrics import METRICS


def pair(difference: float) -> dict:
    return {
        "examples": 899,
        "difference": difference,
        "low": difference - 0.01,
        "high": difference + 0.01,
        "interval": "wald",
    }


def compared() -> dict:
    """A run of the name and net of the first expected one, with every rung trained alone and grown."""
    record = copy.deepcopy(METRICS) | {"name": "resnet20-cifar10-long"}
    record["recipe"] = recipe_of(EXPECTED["resnet20-cifar10-long"]).to_json()
    record["comparison"] = [
        {
            "name": each["name"],
            "params": each["params"],
            "macs": each["macs"],
            "methods": {
                method: {
                    "score_keras": each["score_keras"] + lead,
                    "score_tflite": each["score_tflite"] + lead,
                    "against_independent": pair(lead + 0.02),
                }
                for method, lead in (
                    ("independent", -0.02),
                    ("joint", 0.0),
                    ("prune_and_grow", -0.01),
                )
            },
        }
        for each in record["variants"]
    ]
    return record


def table_of_runs(text: str) -> list[list[str]]:
    """The cells of the rows of the table of runs, the first and the last of each empty."""
    lines = text[text.index("## Runs") :].split("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.split("|")] for line in lines if line.startswith("| ")][
        2:
    ]


@pytest.fixture
def records(tmp_path):
    for record in (compared(), METRICS):
        (tmp_path / f"{record['name']}.json").write_text(json.dumps(record))
    return tmp_path


def test_the_page_opens_with_one_table_and_one_picture_of_all_runs(records):
    text = page(read_records(records))
    head = text[: text.index("\n## ")]
    rows = [line for line in head.splitlines() if line.startswith("| [")]
    assert [row.split("|")[3].strip() for row in rows] == ["w100", "w050"] * 2
    # 98.7 % of 899 test examples: the interval's half is 1.96 sqrt(0.987 x 0.013 / 899).
    assert "| 98.70 ± 0.74 | 96.70 ± 1.17 | +2.00 [+1.00, +3.00] | 97.70 ± 0.98 |" in rows[0]
    assert rows[0].startswith("| [resnet20-cifar10-long](#resnet20-cifar10-long) |")
    assert "| 400 |" in rows[2]
    assert head.count("![") == 1
    published = text[text.index("## Beside the papers") :].split("\n## ")[0]
    assert "arXiv 2505.11569 | original 91.50; 83.03" in published
    assert "jointly 98.70 / 97.50, grown 97.70 / 96.50" in published


def test_the_page_says_what_is_missing_and_keeps_what_an_earlier_one_says_of_it(records):
    earlier = "# Results\n\n## resnet20-cifar10\n\nreplaced\n\n## vgg16-imagenette\n\nkept\n"
    text = page(read_records(records), earlier)
    states = {row[1]: row[2] for row in table_of_runs(text)}
    assert states["vgg16-imagenette-long"] == "not run yet"
    assert states["resnet20-cifar10-long"] == "there"
    assert "Of 16 runs: 1 there, 0 in part, 15 not run yet." in text
    assert "kept" in text
    assert "replaced" not in text
    assert page(read_records(records), text) == text


def test_a_run_without_its_comparison_is_there_in_part_and_keeps_what_a_shorter_one_compared(
    records,
):
    record = compared() | {"comparison": None}
    record["recipe"] |= {"comparison": None}
    (records / "resnet20-cifar10-long.json").write_text(json.dumps(record))
    text = page(read_records(records), "# Results\n\n## resnet20-cifar10\n\nshorter\n")
    states = {row[1]: row[2] for row in table_of_runs(text)}
    assert states["resnet20-cifar10-long"] == "in part: with `comparison=null`"
    assert "shorter" in text
    assert "jointly 98.70 / 97.50 |" in text


def test_a_page_of_no_runs_lists_all(tmp_path):
    rows = table_of_runs(page(read_records(tmp_path)))
    expected = [(name, "not run yet", f"`{command}`") for name, command in EXPECTED.items()]
    assert [tuple(row[1:4]) for row in rows] == expected


def test_records_name_no_path_of_the_machine(tmp_path):
    record = copy.deepcopy(METRICS)
    record["command"] = "tfelastic run x --workspace /a/b --set data.source=/data/c --set seed=1"
    record["recipe"]["data"]["source"] = "/data/c"
    (tmp_path / "metrics.json").write_text(json.dumps(record))
    found = record_of(tmp_path, "other")
    assert found["command"] == "tfelastic run x --set data.source=DIR --set seed=1"
    assert "/" not in found["recipe"]["data"]["source"]
    assert found["name"] == "other"


@pytest.mark.parametrize("name", EXPECTED)
def test_expected_runs_can_be_asked_for(name):
    assert name.startswith(recipe_of(EXPECTED[name]).name)
