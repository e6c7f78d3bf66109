"""What the drivers of the C++ and the Kotlin library are asked, and what Python answers to the same."""

import struct
from collections.abc import Callable, Iterable
from typing import Any

from tfelastic_runtime import Bundle, BundleError, Row

from tests.support.golden import GOLDEN, PAYLOAD, with_manifest

Ask = Callable[[Iterable[tuple[int, bytes, bytes]]], list[str]]
"""Asks a compiled library; `tests/support/cpp_driver.py` and `kotlin.py` make one each."""

PolicyStep = tuple[int, int, int | None]
"""A budget, what the run took, and which row leaves the table before."""

DELTA, BUNDLE, ACCESS, NUMBER, DIGEST = b"pbans"
RUNS = ord("r")
"""Asked of drivers that have an interpreter."""
CHOICES, LATENCIES, REALS, PIXELS, DECODING, SCORE = b"cleido"
DTYPES = ("int8", "uint8", "int16", "int32", "float32")


def delta(data: bytes, payload: bytes, size: int) -> tuple[int, bytes, bytes]:
    return DELTA | size << 8, data, payload


def answer_of_python(data: bytes) -> str | None:
    """Return the line that a driver must print; None where Python refuses the bundle."""
    try:
        bundle = Bundle.from_bytes(data)
    except BundleError:
        return None
    manifest = bundle.manifest
    parts = [f"ok {int(manifest.score.higher_is_better)} {manifest.payload_bytes}"]
    for spec in manifest.inputs:
        parts.append(" ".join(map(str, ("input", texts(spec.name), spec.kind, *spec.shape))))
    for output in manifest.outputs:
        words = ["output", texts(output.name), output.kind, *output.shape]
        parts.append(" ".join(map(str, (*words, *map(texts, output.labels or ())))))
    for variant in bundle.variants:
        stored = variant.stored
        words = [variant.name, f"{variant.width:.17g}", f"{variant.score:.17g}"]
        words += [manifest.score.order(variant.score)]
        words += [-1 if variant.arena_bytes is None else variant.arena_bytes, variant.bytes]
        words += [stored.form, stored.offset, stored.bytes]
        for tensor in (*variant.inputs, *variant.outputs):
            (scale,) = struct.unpack("<f", struct.pack("<f", tensor.scale))
            words += [tensor.position, tensor.dtype, f"{scale:.9g}", tensor.zero_point]
        try:
            model = bundle.model(variant.name).hex()
        except BundleError:
            model = ""
        parts.append(f"{' '.join(map(str, words))} | {'ok' if model else ''} | {model}")
    return "\t".join(parts)


def texts(text: str) -> str:
    return text.encode().hex()


def comparable(line: str) -> str | None:
    """Leave out a driver's reasons for refusing: Python words its own."""
    if not line.startswith("ok "):
        return None
    head, *records = line.split("\t")
    kept = []
    for each in records:
        if each.startswith(("input ", "output ")):
            kept.append(each)
            continue
        record, status, model = each.split(" | ")
        kept.append(f"{record} | {'ok' if status == 'ok' else ''} | {model}")
    return "\t".join((head, *kept))


def manifest_of(text: bytes) -> bytes:
    """Put a manifest of any length into the golden bundle."""
    return with_manifest(text, GOLDEN[PAYLOAD:-32])


def integers(values: Iterable[int]) -> bytes:
    return b"".join(value.to_bytes(8, "little", signed=True) for value in values)


def asked_of_policy(table: list[Row], steps: list[PolicyStep]) -> tuple[int, bytes, bytes]:
    rows = (
        number
        for row in table
        for number in (row.score_order, row.p50_us, row.p90_us, row.switch_us)
    )
    numbers = (
        number
        for budget_us, observed_us, removed in steps
        for number in (budget_us, observed_us, -1 if removed is None else removed)
    )
    return CHOICES, integers(rows), integers(numbers)


def answered_by_policy(answer: str) -> list[list[int]]:
    return [[int(word) for word in step.split()] for step in answer.split("\t")[:-1]]


def head_of(case: dict[str, Any]) -> bytes:
    """Return a tensor's dtype, zero point and scale as a driver takes them."""
    dtype, zero_point = DTYPES.index(case["dtype"]), case.get("zero_point", 0)
    return struct.pack("<iif", dtype, zero_point, case.get("scale", 1.0))
