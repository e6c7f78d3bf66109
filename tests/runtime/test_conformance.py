"""Python passes every case that all languages must pass (`runtime/SPEC.md`, section 5)."""

import hashlib
from typing import Any

import numpy as np
import pytest
from tfelastic_runtime import (
    Bundle,
    BundleError,
    InputError,
    InputSpec,
    Latency,
    Policy,
    Row,
    ScoreSpec,
    TensorSpec,
)
from tfelastic_runtime.encoding import Encoder, decode

from tests.support.golden import BUNDLES, CONFORMANCE, GOLDEN, cases, edited


def named(found: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in found]


@pytest.mark.parametrize("case", named(cases("policy")["cases"]))
def test_policy(case: dict[str, Any]) -> None:
    policy = Policy([Row(**row) for row in case["table"]])
    for number, step in enumerate(case["steps"], start=1):
        if "removed" in step:
            policy.remove(step["removed"])
        choice = policy.choose(step["budget_us"])
        policy.observe(step["observed_us"])
        found = {
            "index": choice.index,
            "predicted_us": choice.predicted_us,
            "feasible": choice.feasible,
            "slowdown_q16": policy.slowdown.q16,
            "spread_q16": policy.slowdown.spread_q16,
        }
        assert found == {key: step[key] for key in found}, f"step {number}"


@pytest.mark.parametrize("expected", cases("bundle")["opened"], ids=lambda each: each["name"])
def test_bundle_opens(expected: dict[str, Any]) -> None:
    data = (CONFORMANCE / expected["file"]).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (expected["bytes"], expected["sha256"])
    bundle = Bundle.open(CONFORMANCE / expected["file"])
    manifest = bundle.manifest.to_json()
    for key in ("name", "inputs", "outputs", "score", "payload_bytes"):
        assert manifest[key] == expected[key]
    latencies = [
        {name: [each.p50_us, each.p90_us] for name, each in profile.latencies.items()}
        for profile in bundle.manifest.profiles
    ]
    assert latencies == expected["latencies"]
    for found, variant in zip(bundle.variants, expected["variants"], strict=True):
        order = bundle.manifest.score.order(found.score)
        record = {**found.to_json(), "score_order": order}
        assert {key: record[key] for key in variant} == variant
        model = bundle.model(found.name)
        assert len(model) == variant["bytes"]
        assert hashlib.sha256(model).hexdigest() == variant["sha256"]


def test_bundles_hold_every_kind_of_instruction() -> None:
    """Or else a reader could pass without one."""
    bundle = Bundle.open(CONFORMANCE / "shared.elastic")
    kinds = {kind for variant in bundle.variants for kind in bundle.tally(variant.name)}
    assert kinds == {"whole", "add", "copy", "run", "gather", "per_row", "per_element"}


@pytest.mark.parametrize("edit", named(cases("bundle")["refused"]))
def test_edited_bundle_is_refused(edit: dict[str, Any]) -> None:
    damaged = edited(edit)
    assert damaged not in BUNDLES.values()
    if "model" in edit:
        bundle = Bundle.from_bytes(damaged)
        with pytest.raises(BundleError, match=edit["model"]):
            bundle.model(edit["model"])
    else:
        with pytest.raises(BundleError):
            Bundle.from_bytes(damaged)


def test_resealing_alone_changes_nothing() -> None:
    """Or else every resealed edit would be refused for its checksum and prove nothing."""
    assert edited({"reseal": True}) == GOLDEN


def tensor(case: dict[str, Any]) -> TensorSpec:
    return TensorSpec(0, case["dtype"], case.get("scale", 1.0), case.get("zero_point", 0))


@pytest.mark.parametrize("case", cases("numbers")["encode"])
def test_encode(case: dict[str, Any]) -> None:
    is_image = case["kind"] == "image"
    given = np.array(case["given"], np.uint8 if is_image else np.float32)
    if is_image:
        given = given.reshape(1, -1, 1)
    stored = Encoder(InputSpec("x", (1, *given.shape), case["kind"]), tensor(case)).encode(given)
    assert stored.dtype == case["dtype"]
    assert stored.shape == (1, *given.shape)
    assert stored.tobytes() == np.array(case["stored"], case["dtype"]).tobytes()


@pytest.mark.parametrize("case", cases("numbers")["refused"])
def test_numbers_that_are_not_finite_are_refused(case: dict[str, Any]) -> None:
    number = np.array([int(case["float32"], 16)], np.uint32).view(np.float32)
    with pytest.raises(InputError, match=r"input 'x': expected numbers that are finite.*at \[0\]"):
        Encoder(InputSpec("x", (1, 1)), tensor(case)).encode(number)


@pytest.mark.parametrize("case", cases("numbers")["decode"])
def test_decode(case: dict[str, Any]) -> None:
    (number,) = decode(np.array([[case["stored"]]], case["dtype"]), tensor(case))
    assert number.dtype == np.float32
    assert number.view(np.uint32) == int(case["float32"], 16)


@pytest.mark.parametrize("case", cases("numbers")["percentiles"])
def test_percentiles(case: dict[str, Any]) -> None:
    found = Latency.of(case["latencies_us"])
    assert (found.p50_us, found.p90_us, found.p99_us) == (
        *(case["p50_us"], case["p90_us"], case["p99_us"]),
    )


@pytest.mark.parametrize("case", cases("numbers")["score_order"])
def test_score_order(case: dict[str, Any]) -> None:
    for direction in (True, False):
        key = "higher_is_better" if direction else "lower_is_better"
        assert ScoreSpec("m", higher_is_better=direction).order(case["score"]) == case[key]
