"""Python passes every case that all languages must pass (`runtime/SPEC.md`, section 5)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfelastic_runtime import Bundle, BundleError, Latency, Policy, Row, TensorSpec
from tfelastic_runtime.encoding import decode, encode
from tfelastic_runtime.variant import VariantInfo

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


@pytest.mark.parametrize("which", ["golden", "shared"])
def test_bundle_opens(which: str) -> None:
    expected = load("bundle.json")[which]
    data = (FOLDER / expected["file"]).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (expected["bytes"], expected["sha256"])
    bundle = Bundle.open(FOLDER / expected["file"])
    for found, variant in zip(bundle.variants, expected["variants"], strict=True):
        record = found.to_json()
        assert {key: record[key] for key in variant} == variant
        model = bundle.model(found.name)
        assert len(model) == variant["bytes"]
        assert hashlib.sha256(model).hexdigest() == variant["sha256"]


def test_golden_manifest(bundle: Bundle) -> None:
    expected, manifest = load("bundle.json")["golden"], bundle.manifest
    assert manifest.name == expected["name"]
    assert manifest.labels == tuple(expected["labels"])
    assert manifest.input_shape == tuple(expected["input_shape"])
    assert manifest.classes == expected["classes"]
    assert manifest.payload_bytes == expected["payload_bytes"]
    (profile,) = manifest.profiles
    latencies = {name: [each.p50_us, each.p90_us] for name, each in profile.latencies.items()}
    assert latencies == expected["latencies"]


def test_bundles_hold_every_kind_of_instruction() -> None:
    """Or else a reader could pass without one."""
    bundle = Bundle.open(FOLDER / "shared.elastic")
    kinds = {kind for variant in bundle.variants for kind in bundle.tally(variant.name)}
    assert kinds == {"whole", "add", "copy", "run", "gather", "per_row", "per_element"}


@pytest.mark.parametrize("edit", named(load("bundle.json")["refused"]))
def test_edited_bundle_is_refused(edit: dict[str, Any], golden: bytes) -> None:
    damaged = edited(golden, edit)
    assert damaged != golden
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


@pytest.mark.parametrize("case", load("numbers.json")["encode"])
def test_encode(case: dict[str, Any]) -> None:
    spec = TensorSpec("int8", 1.0, -128) if case["dtype"] == "int8" else TensorSpec("float32", 1, 0)
    image = np.array(case["pixels"], np.uint8).reshape(1, -1, 1)
    stored = encode(image, spec, shape=image.shape)
    assert stored.dtype == case["dtype"]
    assert stored.shape == (1, 1, len(case["pixels"]), 1)
    assert stored.ravel().tolist() == case["stored"]


@pytest.mark.parametrize("case", load("numbers.json")["decode"])
def test_decode(case: dict[str, Any]) -> None:
    spec = TensorSpec("int8", case["scale"], case["zero_point"])
    (number,) = decode(np.array([[case["stored"]]], np.int8), spec)
    assert number.dtype == np.float32
    assert number.view(np.uint32) == int(case["float32"], 16)


@pytest.mark.parametrize("case", load("numbers.json")["percentiles"])
def test_percentiles(case: dict[str, Any]) -> None:
    found = Latency.of(case["latencies_us"])
    assert (found.p50_us, found.p90_us) == (case["p50_us"], case["p90_us"])


@pytest.mark.parametrize("case", load("numbers.json")["accuracy_ppm"])
def test_accuracy_ppm(case: dict[str, Any], bundle: Bundle) -> None:
    data = {**bundle.variants[0].to_json(), "accuracy": case["accuracy"]}
    assert VariantInfo.from_json(data).accuracy_ppm == case["ppm"]
