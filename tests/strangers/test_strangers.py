"""Every architecture is proven anew, the page of the documentation says what holds, and a fault shows."""

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


# Conversion takes most of the time; every net's figures are on the page, these few are converted anew each time.
CONVERTED = ("ShuffleNetV2", "Selective kernels", "ESPCN")


def _written() -> str:
    return PAGE.read_text("utf-8")


def _row(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def _claimed(architecture: Architecture) -> Proof:
    """Return what the page claims of an architecture."""
    figures = _row(_written(), architecture.name)[2:]
    params, half, macs, half_macs, groups = (int(cell.replace(",", "")) for cell in figures[:5])
    frozen, law2, wrong, rungs, float32, int8 = (float(cell) for cell in figures[5:11])
    return dataclasses.replace(
        SOUND,
        params=(params, half),
        macs=(macs, half_macs),
        groups=groups,
        frozen={f"group {number}": ["a reason"] for number in range(int(frozen))},
        law2=law2,
        wrong=wrong,
        rungs=rungs,
        tflite={"float32": float32, "int8": int8},
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda each: each.name)
def test_it_is_traced_pruned_and_made_elastic(architecture: Architecture) -> None:
    schemes = ("int8",) if architecture.name in CONVERTED else ()
    proof = prove(architecture, schemes=schemes)
    assert not proof.faults, proof
    # What does not depend on rounding is as the page says.
    found = page({architecture: proof})
    assert _row(_written(), architecture.name)[:8] == _row(found, architecture.name)[:8]
    reasons = {line for line in found.splitlines() if line.startswith("- ")}
    assert reasons <= set(_written().splitlines())


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda each: each.name)
def test_what_the_page_claims_holds(architecture: Architecture) -> None:
    assert not _claimed(architecture).faults


def test_the_page_is_that_of_these_architectures() -> None:
    """The words, and a row for each architecture and no other, in the order of the table."""
    made = page({each: _claimed(each) for each in ARCHITECTURES})
    written = _written()
    until = "## What stays whole, and why"
    assert made.split(until)[0] == written.split(until)[0]
    assert set(CONVERTED) < {each.name for each in ARCHITECTURES}


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
