"""The comparison of methods as Markdown."""

from typing import Any

import pytest

from pipelines.report.methods import summary, table

PUBLISHED = {"source": "a paper", "original": 90.0, "rungs": {"w100": 85.0, "w050": 70.0}}


def _rung(
    name: str, params: int, shares: tuple[float, float, float], gained: int
) -> dict[str, Any]:
    methods = {}
    for method, share in zip(("alone", "joint", "grown"), shares, strict=True):
        pair = {"images": 1000, "gained": gained if method == "joint" else 0, "lost": 0}
        methods[method] = {
            "accuracy_keras": share,
            "accuracy_tflite": share - 0.01,
            "against_alone": pair,
        }
    return {"name": name, "params": params, "macs": 10 * params, "methods": methods}


@pytest.fixture
def compared(metrics: dict[str, Any]) -> dict[str, Any]:
    metrics["comparison"] = [
        _rung("w100", 1000, (0.9, 0.91, 0.89), 10),
        _rung("w050", 270, (0.8, 0.82, 0.79), 20),
    ]
    metrics["recipe"]["comparison"] = {"distillation": True, "published": PUBLISHED}
    metrics["baseline"]["accuracy"] = 0.92
    return metrics


@pytest.mark.parametrize(
    ("taught", "joint", "grown"),
    [
        (True, "the widest one's outputs", "the labels and the original"),
        (False, "the labels", "the labels"),
    ],
)
def test_it_says_who_teaches(
    compared: dict[str, Any], taught: bool, joint: str, grown: str
) -> None:
    for section in ("elastic", "comparison"):
        compared["recipe"][section]["distillation"] = taught
    said = f"Jointly, narrower rungs learn from {joint}; grown, each level learns from {grown}."
    assert said in table(compared)[0]


def test_every_rung_has_a_row_with_all_methods(compared: dict[str, Any]) -> None:
    rows = [line for line in table(compared) if line.startswith("| w050")]
    assert rows[0].split(" | ")[2:9] == [
        "27.0\u2009%",
        "0.00",
        "80.00\u2009%",
        "82.00\u2009%",
        "+2.00 [+1.13, +2.87]",
        "79.00\u2009%",
        "+0.00 [+0.00, +0.00]",
    ]


def test_drops_stand_beside_the_published_ones(compared: dict[str, Any]) -> None:
    assert "| w050 | 10.00 | 13.00 | 20.00 |" in table(compared)


def test_rungs_that_no_paper_has_get_no_row(compared: dict[str, Any]) -> None:
    compared["recipe"]["comparison"]["published"] = None
    assert not any("published" in line for line in table(compared))


def test_the_summary_counts_rungs_and_measures_from_the_whole_net(compared: dict[str, Any]) -> None:
    joint, _ = summary(compared)
    assert "narrowest is 8.00 points below" in joint
    assert "2 of 2 rungs" in joint
