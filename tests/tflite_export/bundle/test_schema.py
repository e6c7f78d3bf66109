"""The manifest's JSON Schema says what the reader says, on the bundles and edits that all readers share."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tfelastic_runtime import Bundle

import tflite_export.bundle

CONFORMANCE = Path(__file__).parents[3] / "runtime" / "conformance"
FOLDER = Path(tflite_export.bundle.__file__).parent
VALIDATOR = jsonschema.Draft202012Validator(
    json.loads((FOLDER / "manifest.schema.json").read_text("utf-8"))
)
# What relates one value to another, or is told by JSON itself, is beyond a schema; to a schema 1.0 is 1.
BEYOND = {
    "a batch of 1.0",
    "a fraction in the range",
    "half a character",
    "equal names",
    "rising widths",
    "one label more",
    "one label of two",
    "format is no integer",
    "NaN",
    "infinity",
    "an infinite metric",
    "a device with an infinite number",
    "a key twice",
    "a key twice, none missing",
    "a position that the file does not have",
    "two inputs of one name",
    "two outputs of one name",
    "two inputs at one position",
    "profile of another bundle",
    "p90 below p50",
    "payload longer than the file's",
    "payload shorter than the file's",
    "a delta beyond the payload",
    "a delta taken for a whole variant",
    "a whole variant shorter than it is",
    "a variant larger than the payload",
}


def manifest(name: str) -> str:
    data = (CONFORMANCE / name).read_bytes()
    return data[24 : 24 + int.from_bytes(data[12:16], "little")].decode()


def edits() -> list[Any]:
    cases = json.loads((CONFORMANCE / "bundle.json").read_text("utf-8"))["refused"]
    return [
        pytest.param(case.get("of", "golden"), *case["replace"], id=case["name"])
        for case in cases
        if "replace" in case and "model" not in case and case["name"] not in BEYOND
    ]


def test_schema_is_a_schema() -> None:
    VALIDATOR.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("name", ["golden.elastic", "shared.elastic", "interfaces.elastic"])
def test_manifests_follow_the_schema(name: str) -> None:
    VALIDATOR.validate(json.loads(manifest(name)))
    VALIDATOR.validate(Bundle.open(CONFORMANCE / name).manifest.to_json())


@pytest.mark.parametrize(("name", "old", "new"), edits())
def test_what_readers_refuse_breaks_the_schema(name: str, old: str, new: str) -> None:
    found = json.loads(manifest(f"{name}.elastic").replace(old, new, 1))
    assert not VALIDATOR.is_valid(found)


def test_the_example_in_the_format_follows_the_schema() -> None:
    text = (FOLDER / "FORMAT.md").read_text("utf-8")
    example = text[text.index("```json") + 7 :]
    data = json.loads(example[: example.index("```")])
    data["variants"][0]["sha256"] = "0" * 64
    VALIDATOR.validate(data)
