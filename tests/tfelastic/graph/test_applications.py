"""The proof of the applications' benchmark on a few small families, and that it can fail."""

import keras
import pytest

import tfelastic as te
from benchmarks.applications import (
    PROOF,
    SURVEY,
    judge,
    network,
    page,
    passed,
    prunable_share,
    survey,
    without_weights,
)
from tests.support.weights import randomize

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV2", "MobileNetV3Small", "VGG16"])
def test_half_the_macs_keep_law_2(name: str) -> None:
    record, _ = judge(randomize(network(name, 32, classes=10), alive=True))
    assert passed(record), record


def test_survey_makes_no_weights_and_covers_every_family() -> None:
    found = survey("MobileNetV2")
    assert found["params"][0] == 3_538_984
    assert found["prunable"] == 1.0
    assert found["macs"][1] <= found["macs"][0] / 2
    assert set(PROOF) <= set(SURVEY)


def test_every_classifier_is_surveyed() -> None:
    builders = {name for name in dir(keras.applications) if name[0].isupper()}
    assert set(SURVEY) == builders


def test_layer_normalization_is_why_convnext_keeps_channels() -> None:
    graph = te.trace(without_weights("ConvNeXtTiny", 32))
    assert 0.9 < prunable_share(graph) < 1.0
    reasons = {reason for group in graph.groups for reason in group.frozen}
    assert all("normalises over them" in reason for reason in reasons - {"an output of the model"})


@pytest.mark.parametrize(
    "fault",
    [{"difference": 1e-8}, {"wrong": [0.1, 1e-10]}, {"cost_exact": False}, {"macs_share": 0.51}],
)
def test_a_fault_fails_the_proof_and_shows_on_the_page(fault: dict[str, object]) -> None:
    sound = {"difference": 1e-15, "wrong": [0.1, 0.2], "cost_exact": True, "macs_share": 0.5}
    faulty = {**sound, **fault, "tflite_difference": 1e-6}
    assert passed(sound)
    assert not passed(faulty)
    found = {
        "groups": 3,
        "prunable": 0.5,
        "params": [2e6, 1e6],
        "macs": [2e8, 1e8],
        "frozen": {"conv": ["norm normalises over them"]},
        "opaque": [],
    }
    text = page({"Net": found}, {"Net": faulty})
    assert "| NO |" in text
    assert "`conv`: norm normalises over them." in text
