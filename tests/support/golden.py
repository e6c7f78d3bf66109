"""The golden bundles and the cases that all languages must pass, and damage done to them."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from tfelastic_runtime import Bundle

CONFORMANCE = Path(__file__).parents[2] / "runtime" / "conformance"
BUNDLES = {
    name: (CONFORMANCE / f"{name}.elastic").read_bytes()
    for name in ("golden", "shared", "interfaces")
}
GOLDEN, SHARED, INTERFACES = BUNDLES.values()
PAYLOAD = -(-(24 + struct.unpack_from("<I", GOLDEN, 12)[0]) // 16) * 16
"""Where the golden bundle's payload begins."""


def manifest_text(data: bytes = GOLDEN) -> bytes:
    """Return a bundle's manifest."""
    return data[24:][: struct.unpack_from("<I", data, 12)[0]]


def cases(name: str) -> dict[str, Any]:
    """Read a file of cases."""
    return json.loads((CONFORMANCE / f"{name}.json").read_text("utf-8"))


def resealed(data: bytes) -> bytes:
    """Put a bundle's checksum right."""
    return data[:-32] + hashlib.sha256(data[:-32]).digest()


def with_manifest(text: bytes, payload: bytes) -> bytes:
    """Return a bundle of any manifest and payload, with the right lengths and checksum."""
    padding = bytes(-(24 + len(text)) % 16)
    size = 24 + len(text) + len(padding) + len(payload) + 32
    header = GOLDEN[:12] + struct.pack("<IQ", len(text), size)
    return resealed(header + text + padding + payload + bytes(32))


def edited(edit: dict[str, Any]) -> bytes:
    """Apply one edit of bundle.json to its bundle, in the order that SPEC.md, section 5, gives."""
    data = BUNDLES[edit.get("of", "golden")]
    if "replace" in edit:
        old, new = (text.encode() for text in edit["replace"])
        assert old in data
        assert len(old) == len(new)
        data = data.replace(old, new, 1)
    if "write" in edit:
        offset, new = edit["write"][0], bytes.fromhex(edit["write"][1])
        data = data[:offset] + new + data[offset + len(new) :]
    data = data[: edit.get("truncate", len(data))] + bytes.fromhex(edit.get("append", ""))
    return resealed(data) if edit.get("reseal") else data


def random_inputs(bundle: Bundle, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return pixels of any value, and numbers around 0."""
    return {
        spec.name: rng.integers(0, 256, spec.shape[1:], np.uint8)
        if spec.kind == "image"
        else rng.normal(0, 2, spec.shape[1:]).astype(np.float32)
        for spec in bundle.manifest.inputs
    }
