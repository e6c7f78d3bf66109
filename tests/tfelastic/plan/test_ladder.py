"""Ladders as data: nested plans, widest first."""

import json

import pytest

from tfelastic import KeepPlan, Ladder, Rung
from tfelastic.errors import PlanError

WIDE = Rung("w100", 1.0, KeepPlan("0f", {"a": (2, 0, 1), "b": (1, 0)}))
NARROW = Rung("w050", 0.5, KeepPlan("0f", {"a": (2,), "b": (1,)}, ("add",)))


def test_json_round_trip() -> None:
    ladder = Ladder((WIDE, NARROW))
    assert Ladder.from_json(json.loads(json.dumps(ladder.to_json()))) == ladder
    assert ladder.names == ("w100", "w050")
    assert ladder.rung("w050") is NARROW


@pytest.mark.parametrize("data", [{}, [], None, {"rungs": [{"name": "w100"}]}, {"rungs": 3}])
def test_what_is_no_ladder_is_refused(data: object) -> None:
    with pytest.raises(PlanError, match="not a ladder: expected an object with 'rungs'"):
        Ladder.from_json(data)  # type: ignore[arg-type]


def test_an_unknown_rung_is_refused_with_those_there_are() -> None:
    with pytest.raises(PlanError, match="no rung 'w010'; its rungs are w100, w050"):
        Ladder((WIDE, NARROW)).rung("w010")


@pytest.mark.parametrize(
    ("rungs", "reason"),
    [
        ((), "at least one rung"),
        ((WIDE, Rung("w100", 0.5, NARROW.plan)), "distinct names"),
        ((WIDE, Rung("w050", 0.5, KeepPlan("1e", {"a": (2,), "b": (1,)}))), "different models"),
        (
            (WIDE, Rung("w050", 0.5, KeepPlan("0f", {"a": (0,), "b": (1,)}))),
            "group 'a' keeps no prefix",
        ),
        ((WIDE, Rung("w050", 0.5, KeepPlan("0f", {"a": (2,)}))), "group 'b' keeps no prefix"),
        (
            (Rung("w100", 1.0, KeepPlan("0f", {}, ("add",))), Rung("w050", 0.5, KeepPlan("0f"))),
            "brings back blocks",
        ),
        ((NARROW, WIDE), "keeps no prefix"),
    ],
)
def test_what_is_not_nested_is_refused(rungs: tuple[Rung, ...], reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        Ladder(rungs)


def test_from_its_widest_rung_every_rung_keeps_leading_units() -> None:
    within = Ladder((WIDE, NARROW)).within("1e")
    assert within.rungs[0].plan == KeepPlan("1e", {"a": (0, 1, 2), "b": (0, 1)})
    assert within.rungs[1].plan == KeepPlan("1e", {"a": (0,), "b": (0,)}, ("add",))
