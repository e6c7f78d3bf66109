"""What variants share is stored once, and each comes back to the last bit."""

from pathlib import Path

import numpy as np
import pytest
from tfelastic_runtime import Bundle, Stored
from tfelastic_runtime.delta import expand, tally

from tflite_export.bundle.deduplication import Payload, deduplicate
from tflite_export.tflite import buffers

CONFORMANCE = Path(__file__).parents[3] / "runtime" / "conformance"
NAMES = ("w100-int8", "w100", "w050-int8", "w050")


@pytest.fixture(scope="module")
def models() -> dict[str, bytes]:
    """Two widths of one network in two schemes; narrow kernels are slices of the wide ones."""
    bundle = Bundle.open(CONFORMANCE / "shared.elastic")
    return {name: bundle.model(name) for name in NAMES}


def delta(payload: Payload, stored: Stored) -> memoryview:
    return memoryview(payload.data)[stored.offset : stored.offset + stored.bytes]


def unpacked(payload: Payload, models: list[bytes]) -> list[bytes]:
    return [
        bytes(delta(payload, stored))
        if stored.whole
        else expand(delta(payload, stored), memoryview(payload.data), size=len(model))
        for stored, model in zip(payload.stored, models, strict=True)
    ]


def written(payload: Payload, index: int, size: int) -> dict[str, int]:
    return tally(delta(payload, payload.stored[index]), memoryview(payload.data), size=size)


@pytest.mark.parametrize("order", [NAMES, NAMES[::-1], NAMES[1:2] * 3, NAMES[::2], NAMES[1::2]])
def test_every_variant_comes_back(models: dict[str, bytes], order: tuple[str, ...]) -> None:
    files = [models[name] for name in order]
    payload = deduplicate(files)
    assert unpacked(payload, files) == files
    assert sum(payload.added) == len(payload.data)
    assert deduplicate(files) == payload


def test_no_kernel_is_stored_twice(models: dict[str, bytes]) -> None:
    """What a narrow variant brings is its scales, biases and numbers in tables."""
    payload = deduplicate(list(models.values()))
    for index, name in ((2, "w050-int8"), (3, "w050")):
        kernel_bytes = sum(
            buffer.bytes for buffer in buffers(models[name]) if len(buffer.shape) > 1
        )
        found = written(payload, index, len(models[name]))
        assert found["gather" if "int8" in name else "per_row"] > 0.75 * kernel_bytes
        assert payload.added[index] < 0.25 * len(models[name])


def test_an_equal_variant_costs_one_copy(models: dict[str, bytes]) -> None:
    assert deduplicate([models["w100"]] * 2).added[1] < 200


def test_a_stranger_is_stored_whole(models: dict[str, bytes]) -> None:
    files = [models["w100-int8"], np.random.default_rng(0).bytes(5_000)]
    assert [stored.form for stored in deduplicate(files).stored] == ["whole", "whole"]


def test_a_larger_variant_than_the_payload_is_stored_whole() -> None:
    """However little a delta would take: readers refuse to expand more than the payload."""
    payload = deduplicate([b"small", bytes(1_000_000)])
    assert payload.stored[1] == Stored("whole", 16, 1_000_000)


def test_channels_that_no_factor_gives_are_stored_as_they_are(models: dict[str, bytes]) -> None:
    narrow = bytearray(models["w050"])
    kernel = max(buffers(models["w050"]), key=lambda buffer: buffer.bytes)
    values = np.frombuffer(narrow, np.float32, kernel.bytes // 4, kernel.offset)
    rows = values.reshape(kernel.shape[0], -1)
    rows[3, 5] = np.nextafter(rows[3, 5], np.float32(9))
    files = [models["w100"], models["w050"], bytes(narrow)]
    payload = deduplicate([files[0], files[2]])
    assert unpacked(payload, [files[0], files[2]]) == [files[0], files[2]]
    honest = written(deduplicate(files[:2]), 1, len(narrow))
    found = written(payload, 1, len(narrow))
    assert honest["per_row"] - found["per_row"] == rows[3].nbytes


def test_a_negative_zero_is_not_a_zero(models: dict[str, bytes]) -> None:
    kernel = max(buffers(models["w100"]), key=lambda buffer: buffer.bytes)
    zeros, negative = bytearray(models["w100"]), bytearray(models["w100"])
    zeros[kernel.offset : kernel.offset + kernel.bytes] = bytes(kernel.bytes)
    negative[kernel.offset : kernel.offset + kernel.bytes] = b"\0\0\0\x80" * (kernel.bytes // 4)
    files = [bytes(zeros), bytes(negative)]
    assert unpacked(deduplicate(files), files) == files
