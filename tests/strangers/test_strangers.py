"""Every architecture goes through everything, its row is in the documentation, and a fault shows."""

import dataclasses
from pathlib import Path

import pytest

from tests.strangers.catalogue import ARCHITECTURES, Architecture
from tests.strangers.page import page
from tests.strangers.proof import Proof, prove

PAGE = Path(__file__).parents[2] / "docs" / "strangers.md"
SOUND = Proof(
    params=(200, 90),
    macs=(1000, 480),
    groups=3,
    frozen={"conv": ["norm normalises over them"]},
    law2=1e-15,
    wrong=1e-2,
    exact=True,
    rungs=1e-15,
    switched=True,
    tflite={"float32": 1e-6, "int8": 0.02},
)


def _row(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda each: each.name)
def test_it_is_traced_pruned_made_elastic_and_converted(architecture: Architecture) -> None:
    # An int8 file is made from the float one, whose own figure stands on the page.
    proof = prove(architecture, schemes=("int8",))
    assert not proof.faults, proof
    # What does not depend on rounding is as the page says.
    written, found = (
        _row(PAGE.read_text("utf-8"), architecture.name),
        _row(page({architecture: proof}), architecture.name),
    )
    assert written[:8] == found[:8]
    assert written[-1] == "yes"


def test_the_page_has_a_row_for_each_and_no_other() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    assert [row.split("|")[1].strip() for row in rows[1:]] == [each.name for each in ARCHITECTURES]


@pytest.mark.parametrize(
    "fault",
    [
        {"law2": 1e-8},
        {"wrong": 1e-10},
        {"exact": False},
        {"macs": (1000, 501)},
        {"rungs": 1e-8},
        {"switched": False},
        {"tflite": {"float32": 1e-3, "int8": 0.02}},
        {"tflite": {"float32": 1e-6, "int8": float("nan")}},
    ],
)
def test_each_fault_is_told(fault: dict[str, object]) -> None:
    assert not SOUND.faults
    broken = dataclasses.replace(SOUND, **fault)
    assert len(broken.faults) == 1
    assert f"NO: {broken.faults[0]}" in page({ARCHITECTURES[0]: broken})
