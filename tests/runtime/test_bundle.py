"""Law 8, reading: no damage passes, whatever was damaged; no length makes the reader allocate."""

import contextlib
import dataclasses
import hashlib
import json
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfelastic_runtime import Bundle, BundleError, Manifest, Stored

from tests.support.golden import GOLDEN, PAYLOAD, SHARED, manifest_text, resealed, with_manifest


def test_every_flipped_byte_is_refused() -> None:
    damaged = bytearray(GOLDEN)
    for offset in range(len(GOLDEN)):
        damaged[offset] ^= 0xFF
        with pytest.raises(BundleError):
            Bundle.from_bytes(bytes(damaged))
        damaged[offset] ^= 0xFF
    assert damaged == GOLDEN


@given(st.integers(0, len(GOLDEN) * 8 - 1))
def test_every_flipped_bit_is_refused(bit: int) -> None:
    damaged = bytearray(GOLDEN)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BundleError):
        Bundle.from_bytes(bytes(damaged))


def test_every_truncation_is_refused() -> None:
    for size in range(len(GOLDEN)):
        with pytest.raises(BundleError):
            Bundle.from_bytes(GOLDEN[:size])


@given(st.binary(min_size=1, max_size=100))
def test_appended_bytes_are_refused(tail: bytes) -> None:
    for data in (GOLDEN + tail, resealed(GOLDEN + tail)):
        with pytest.raises(BundleError):
            Bundle.from_bytes(data)


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    for data in (noise, GOLDEN[:8] + noise, GOLDEN[:24] + noise):
        with pytest.raises(BundleError):
            Bundle.from_bytes(data)


@given(
    st.integers(0, len(GOLDEN) - 33),
    st.integers(0, len(GOLDEN) - 33),
    st.binary(min_size=1, max_size=40),
)
def test_hostile_bytes_with_a_right_checksum_raise_nothing_else(
    start: int, stop: int, inserted: bytes
) -> None:
    """Whoever attacks reseals: then the parser stands alone, and may only answer or refuse."""
    body = GOLDEN[: min(start, stop)] + inserted + GOLDEN[max(start, stop) : -32]
    size = struct.pack("<Q", len(body) + 32)
    data = resealed(body[:16] + size + body[24:] + bytes(32))
    with contextlib.suppress(BundleError):
        bundle = Bundle.from_bytes(data)
        for variant in bundle.variants:
            bundle.model(variant.name)


@given(st.integers(24, PAYLOAD - 1), st.binary(min_size=1, max_size=6))
def test_overwritten_manifests_raise_nothing_else(offset: int, written: bytes) -> None:
    data = resealed(GOLDEN[:offset] + written + GOLDEN[offset + len(written) :])
    with contextlib.suppress(BundleError):
        Bundle.from_bytes(data)


@given(st.integers(32, len(SHARED) - 32 - 6), st.binary(min_size=1, max_size=6))
def test_overwritten_payloads_change_a_variant_or_are_refused(offset: int, written: bytes) -> None:
    """Deltas and what they read: each variant comes out as it was, or is refused."""
    end = len(SHARED) - offset
    data = resealed(SHARED[:end] + written + SHARED[end + len(written) :])
    honest = Bundle.from_bytes(SHARED)
    with contextlib.suppress(BundleError):
        bundle = Bundle.from_bytes(data)
        for variant in honest.variants:
            with contextlib.suppress(BundleError):
                assert bundle.model(variant.name) == honest.model(variant.name)


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"format":' * 50_000, b"9" * 10_000])
def test_deep_and_endless_json_is_refused(text: bytes) -> None:
    with pytest.raises(BundleError):
        Bundle.from_bytes(with_manifest(text, b""))


@pytest.mark.parametrize("field", [(12, "<I", 2**32 - 1), (16, "<Q", 2**63)])
def test_hostile_length_allocates_nothing(field: tuple[int, str, int], tmp_path: Path) -> None:
    offset, code, value = field
    data = bytearray(GOLDEN)
    struct.pack_into(code, data, offset, value)
    path = tmp_path / "hostile.elastic"
    path.write_bytes(resealed(bytes(data)))
    tracemalloc.start()
    try:
        with pytest.raises(BundleError):
            Bundle.open(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_newer_versions_are_named() -> None:
    newer = resealed(GOLDEN[:8] + struct.pack("<I", 7) + GOLDEN[12:])
    with pytest.raises(BundleError, match=r"container version 7.*knows version 3.*update"):
        Bundle.from_bytes(newer)
    newer = resealed(GOLDEN.replace(b'"format":3', b'"format":7'))
    with pytest.raises(BundleError, match=r"format 7.*knows format 3.*update"):
        Bundle.from_bytes(newer)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_older_versions_are_named(version: int) -> None:
    older = resealed(GOLDEN[:8] + struct.pack("<I", version) + GOLDEN[12:])
    with pytest.raises(BundleError, match=rf"container version {version}.*knows version 3.*again"):
        Bundle.from_bytes(older)


def test_messages_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.elastic"
    path.write_bytes(GOLDEN[:-1])
    with pytest.raises(
        BundleError, match=rf"cut\.elastic.*{len(GOLDEN)} bytes, it has {len(GOLDEN) - 1}"
    ):
        Bundle.open(path)
    path.write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(BundleError, match=r"cut\.elastic is not a tfelastic bundle"):
        Bundle.open(path)
    with pytest.raises(FileNotFoundError):
        Bundle.open(tmp_path / "none.elastic")


def test_unknown_variant_names_the_known(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"no variant 'w075'; it has w100, w050, w025"):
        bundle.model("w075")


def test_open_and_from_bytes_agree(bundle: Bundle) -> None:
    other = Bundle.from_bytes(GOLDEN)
    assert other.manifest == bundle.manifest
    assert repr(other) == "Bundle('golden': w100, w050, w025)"


def test_manifest_json_is_symmetric(bundle: Bundle) -> None:
    data = bundle.manifest.to_json()
    assert Manifest.from_json(data) == bundle.manifest
    assert Manifest.from_json(data).to_json() == data


def test_unpacks_every_variant_and_nothing_else(tmp_path: Path) -> None:
    bundle = Bundle.from_bytes(SHARED)
    folder = tmp_path / "new" / "folder"
    paths = bundle.unpack(folder)
    assert sorted(paths) == sorted(folder.iterdir())
    for variant, path in zip(bundle.variants, paths, strict=True):
        assert path.name == f"{variant.name}.tflite"
        assert path.read_bytes() == bundle.model(variant.name)


def test_unpacking_follows_no_link_out_of_its_folder(tmp_path: Path) -> None:
    bundle, folder, outside = Bundle.from_bytes(GOLDEN), tmp_path / "in", tmp_path / "outside"
    folder.mkdir()
    outside.write_text("untouched")
    (folder / "w100.tflite").symlink_to(outside)
    (folder / ".tmp.w100.tflite").symlink_to(outside)
    bundle.unpack(folder)
    assert outside.read_text() == "untouched"
    assert (folder / "w100.tflite").read_bytes() == bundle.model("w100")
    assert sorted(tmp_path.iterdir()) == [folder, outside]


def repeated(count: int) -> Bundle:
    """The widest variant of the golden bundle, so many times over."""
    bundle = Bundle.from_bytes(GOLDEN)
    variants = tuple(
        dataclasses.replace(bundle.variants[0], name=f"v{index}") for index in range(count)
    )
    manifest = dataclasses.replace(bundle.manifest, variants=variants, profiles=())
    return Bundle(manifest, bundle._payload, source="many.elastic")


def test_unpacking_more_than_a_bundle_should_hold_writes_nothing(tmp_path: Path) -> None:
    """16 times the payload's 3,720 bytes are 59,520; 25 variants of 2,416 have 60,400."""
    bundle, folder = repeated(25), tmp_path / "out"
    assert bundle.unpacked_bytes == 60_400
    said = r"many\.elastic: its 25 variants have 60,400 bytes.*limit of 59,520 bytes: its payload.*3,720"
    with pytest.raises(BundleError, match=said):
        bundle.unpack(folder)
    with pytest.raises(BundleError, match="limit of 60,399"):
        bundle.unpack(folder, limit_bytes=60_399)
    assert not folder.exists()
    assert len(bundle.unpack(folder, limit_bytes=60_400)) == 25
    assert len(repeated(24).unpack(tmp_path / "within")) == 24


def test_no_manifest_has_more_than_64_variants() -> None:
    assert len(repeated(64).variants) == 64
    with pytest.raises(BundleError, match="variants: expected 1 to 64, received 65"):
        repeated(65)


def test_opening_a_large_bundle_takes_little_memory(tmp_path: Path) -> None:
    """The file is mapped; what is allocated depends on the manifest alone."""
    payload = bytes(15_000_000)
    bundle = Bundle.from_bytes(GOLDEN)
    stored = Stored("whole", 0, len(payload))
    variant = dataclasses.replace(
        bundle.variants[0],
        bytes=len(payload),
        sha256=hashlib.sha256(payload).hexdigest(),
        stored=stored,
    )
    manifest = dataclasses.replace(
        bundle.manifest, variants=(variant,), profiles=(), payload_bytes=len(payload)
    )
    path = tmp_path / "large.elastic"
    path.write_bytes(with_manifest(json.dumps(manifest.to_json()).encode(), payload))
    tracemalloc.start()
    try:
        opened = Bundle.open(path)
        assert tracemalloc.get_traced_memory()[1] < 200_000
        assert len(opened.model("w100")) == len(payload)
        assert tracemalloc.get_traced_memory()[1] < len(payload) + 200_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "piece", [b"[],", b"{},", b'{"a":{}},', b"1e1,", b'"a",', b"12345678901234567890,"]
)
def test_a_hostile_manifest_takes_bounded_memory(piece: bytes) -> None:
    """Of the size that readers hold, in pieces that Python spends most on."""
    text = b'{"profiles":[' + piece * ((2**20 - 40) // len(piece)) + b'0],"format":3}'
    data = with_manifest(text, bytes(16))
    tracemalloc.start()
    try:
        with pytest.raises(BundleError):
            Bundle.from_bytes(data)
        assert tracemalloc.get_traced_memory()[1] < 64_000_000
    finally:
        tracemalloc.stop()
    too_long = with_manifest(b" " * 2**20 + text, bytes(16))
    with pytest.raises(
        BundleError, match=r"its manifest has \d+ bytes, readers hold at most 1048576"
    ):
        Bundle.from_bytes(too_long)


@pytest.mark.parametrize(
    "place", ["golden", "tfelastic golden", "kitten", "output_0", "w100", "int8"]
)
def test_a_terminal_is_never_sent_a_manifest_s_escapes(place: str) -> None:
    text = manifest_text().replace(f'"{place}"'.encode(), b'"\\u001b[2J\\u009b31m"', 1)
    with pytest.raises(BundleError) as caught:
        Bundle.from_bytes(with_manifest(text, GOLDEN[PAYLOAD:-32]))
    said = str(caught.value)
    assert said.isprintable()
    assert r"'\x1b[2J\x9b31m'" in said


def test_tally_adds_up() -> None:
    bundle = Bundle.from_bytes(SHARED)
    for variant in bundle.variants:
        assert sum(bundle.tally(variant.name).values()) == variant.bytes
