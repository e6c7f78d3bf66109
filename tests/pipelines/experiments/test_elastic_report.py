"""The comparison of methods: its section on the page and in Markdown."""

from typing import Any

import numpy as np
import pytest

import tfelastic as te
from pipelines.report import render
from pipelines.report.markdown import section
from pipelines.stages import PairedDifference
from pipelines.stages.answers import Answers

PUBLISHED = {"source": "a paper", "original": 90.0, "rungs": {"w100": 85.0, "w050": 70.0}}
METHODS = ("independent", "joint", "prune_and_grow")


def answers(right: np.ndarray) -> Answers:
    return Answers(te.metrics.ClassAccuracy(), {"right": right})


def _rung(
    name: str, params: int, shares: tuple[float, float, float], gained: int
) -> dict[str, Any]:
    methods = {}
    for method, share in zip(METHODS, shares, strict=True):
        right = np.arange(1000) < (gained if method == "joint" else 0)
        pair = PairedDifference.of(answers(right), answers(np.zeros(1000, bool))).to_json()
        methods[method] = {
            "score_keras": share,
            "score_tflite": share - 0.01,
            "against_independent": pair,
        }
    return {"name": name, "params": params, "macs": 10 * params, "methods": methods}


@pytest.fixture
def compared(tree: dict[str, Any]) -> dict[str, Any]:
    tree["comparison"] = [
        _rung("w100", 1000, (0.9, 0.91, 0.89), 10),
        _rung("w050", 270, (0.8, 0.82, 0.79), 20),
    ]
    tree["recipe"]["comparison"] = {"distillation": True, "published": PUBLISHED}
    tree["baseline"]["score"] = 0.92
    return tree


@pytest.fixture
def lines(compared, read):
    """Gives the section's lines, after changes of the metrics."""
    return lambda: read(compared)[1].sections[-1].lines


@pytest.mark.parametrize(
    ("distillation", "joint", "grown"),
    [
        (True, "the widest one's outputs", "the labels and the original"),
        (False, "the labels", "the labels"),
    ],
)
def test_it_says_what_the_rungs_learn_from(compared, lines, distillation, joint, grown) -> None:
    for key in ("elastic", "comparison"):
        compared["recipe"][key]["distillation"] = distillation
    said = f"Jointly, narrower rungs learn from {joint}; grown, each level learns from {grown}."
    assert said in lines()[0]


def test_every_rung_has_a_row_with_all_methods(lines) -> None:
    rows = [line for line in lines() if line.startswith("| w050")]
    assert rows[0].split(" | ")[2:9] == [
        "27.0\u2009%",
        "0.00",
        "80.00\u2009%",
        "82.00\u2009%",
        "+2.00 [+1.13, +2.87]",
        "79.00\u2009%",
        "+0.00 [+0.00, +0.00]",
    ]


def test_drops_stand_beside_the_published_ones(lines) -> None:
    assert "| w050 | 10.00 | 13.00 | 20.00 |" in lines()


def test_rungs_that_no_paper_has_get_no_row(compared, lines) -> None:
    compared["recipe"]["comparison"]["published"] = None
    assert not any("published" in line for line in lines())


def test_the_verdicts_count_rungs_and_measure_from_the_widest_net(lines) -> None:
    joint = next(line for line in lines() if line.startswith("- jointly"))
    assert "narrowest is 8.00 points below" in joint
    assert "2 of 2 rungs" in joint


def test_a_comparison_has_its_place_on_the_page_and_in_markdown(tree, compared, read) -> None:
    plain = section(*read({**compared, "comparison": None}))
    metrics, content = read(compared)
    text, page = section(metrics, content), render(metrics, content)
    assert text.startswith(plain)
    for line in content.sections[-1].lines:
        assert line in text
    assert page.count("<svg ") == 6
    assert "+2.00 [+1.13, +2.87]" in page
    colours = page[page.index("<svg") :]
    assert "#1f77b4" not in colours, "a colour that no dark page can change"
