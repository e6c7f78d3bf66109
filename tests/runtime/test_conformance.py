"""Python passes every case that all languages must pass (`runtime/SPEC.md`, section 5)."""

import hashlib
import json
from pathlib import Path
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

FOLDER = Path(__file__).parents[2] / "runtime" / "conformance"


def load(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / name).read_text("utf-8"))


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in cases]


def edited(data: bytes, edit: dict[str, Any]) -> bytes:
    """Apply one edit of bundle.json, in the order that SPEC.md gives."""
    if "replace" in edit:
        old, new = (text.encode() for text in edit["replace"])
        assert old in data
        assert len(old) == len(new)
        data = data.replace(old, new, 1)
    if "write" in edit:
        offset, new = edit["write"][0], bytes.fromhex(edit["write"][1])
        data = data[:offset] + new + data[offset + len(new) :]
    if "truncate" in edit:
        data = data[: edit["truncate"]]
    data += bytes.fromhex(edit.get("append", ""))
    if edit.get("reseal"):
        data = data[:-32] + hashlib.sha256(data[:-32]).digest()
    return data


@pytest.mark.parametrize("case", named(load("policy.json")["cases"]))
def test_policy(case: dict[str, Any]) -> None:
    policy = Policy([Row(**row) for row in case["table"]])
    for number, step in enumerate(case["steps"], start=1):
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


@pytest.mark.parametrize("expected", load("bundle.json")["opened"], ids=lambda each: each["name"])
def test_bundle_opens(expected: dict[str, Any]) -> None:
    data = (FOLDER / expected["file"]).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (expected["bytes"], expected["sha256"])
    bundle = Bundle.open(FOLDER / expected["file"])
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
    bundle = Bundle.open(FOLDER / "shared.elastic")
    kinds = {kind for variant in bundle.variants for kind in bundle.tally(variant.name)}
    assert kinds == {"whole", "add", "copy", "run", "gather", "per_row", "per_element"}


@pytest.mark.parametrize("edit", named(load("bundle.json")["refused"]))
def test_edited_bundle_is_refused(edit: dict[str, Any]) -> None:
    original = (FOLDER / f"{edit.get('of', 'golden')}.elastic").read_bytes()
    damaged = edited(original, edit)
    assert damaged != original
    if "model" in edit:
        bundle = Bundle.from_bytes(damaged)
        with pytest.raises(BundleError, match=edit["model"]):
            bundle.model(edit["model"])
    else:
        with pytest.raises(BundleError):
            Bundle.from_bytes(damaged)


def test_resealing_alone_changes_nothing(golden: bytes) -> None:
    """Or else every resealed edit would be refused for its checksum and prove nothing."""
    assert edited(golden, {"reseal": True}) == golden


def tensor(case: dict[str, Any]) -> TensorSpec:
    return TensorSpec(0, case["dtype"], case.get("scale", 1.0), case.get("zero_point", 0))


@pytest.mark.parametrize("case", load("numbers.json")["encode"])
def test_encode(case: dict[str, Any]) -> None:
    is_image = case["kind"] == "image"
    given = np.array(case["given"], np.uint8 if is_image else np.float32)
    if is_image:
        given = given.reshape(1, -1, 1)
    stored = Encoder(InputSpec("x", (1, *given.shape), case["kind"]), tensor(case)).encode(given)
    assert stored.dtype == case["dtype"]
    assert stored.shape == (1, *given.shape)
    assert stored.tobytes() == np.array(case["stored"], case["dtype"]).tobytes()


@pytest.mark.parametrize("case", load("numbers.json")["refused"])
def test_numbers_that_are_not_finite_are_refused(case: dict[str, Any]) -> None:
    number = np.array([int(case["float32"], 16)], np.uint32).view(np.float32)
    with pytest.raises(InputError, match=r"input 'x': expected numbers that are finite.*at \[0\]"):
        Encoder(InputSpec("x", (1, 1)), tensor(case)).encode(number)


@pytest.mark.parametrize("case", load("numbers.json")["decode"])
def test_decode(case: dict[str, Any]) -> None:
    (number,) = decode(np.array([[case["stored"]]], case["dtype"]), tensor(case))
    assert number.dtype == np.float32
    assert number.view(np.uint32) == int(case["float32"], 16)


@pytest.mark.parametrize("case", load("numbers.json")["percentiles"])
def test_percentiles(case: dict[str, Any]) -> None:
    found = Latency.of(case["latencies_us"])
    assert (found.p50_us, found.p90_us, found.p99_us) == (
        *(case["p50_us"], case["p90_us"], case["p99_us"]),
    )


@pytest.mark.parametrize("case", load("numbers.json")["score_order"])
def test_score_order(case: dict[str, Any]) -> None:
    for direction in (True, False):
        key = "higher_is_better" if direction else "lower_is_better"
        assert ScoreSpec("m", higher_is_better=direction).order(case["score"]) == case[key]
