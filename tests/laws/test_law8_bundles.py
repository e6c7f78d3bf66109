"""Law 8: reading a written bundle gives it back, equal input gives equal bytes, and a flipped byte is an error."""

import contextlib
import dataclasses
import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tfelastic_runtime import Bundle, BundleError, Manifest

from tests.support.bundles import bundles
from tests.support.golden import SHARED, resealed
from tests.support.tflite_files import with_swapped_channels
from tflite_export.bundle.deduplication import Payload, deduplicate
from tflite_export.bundle.writer import pack

# Time per example says how busy the machine is, not whether a law holds.
LAWS = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@LAWS
@given(bundles())
def test_a_bundle_reads_back_and_is_written_alike(
    bundle: tuple[Manifest, Payload, list[bytes]],
) -> None:
    manifest, payload, models = bundle
    packed = pack(manifest, payload)
    found = Bundle.from_bytes(packed)
    assert found.manifest == manifest
    assert [found.model(info.name) for info in found.variants] == models
    assert pack(manifest, deduplicate(models)) == packed


@LAWS
@given(bundles(), st.data())
def test_a_flipped_byte_is_refused(
    bundle: tuple[Manifest, Payload, list[bytes]], data: st.DataObject
) -> None:
    packed = bytearray(pack(*bundle[:2]))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BundleError):
        Bundle.from_bytes(bytes(packed))


def golden_models() -> tuple[Bundle, list[bytes]]:
    """Return a bundle of two nets in two widths each, which share their weights, and its files."""
    bundle = Bundle.from_bytes(SHARED)
    return bundle, [bundle.model(info.name) for info in bundle.variants]


def test_one_wrong_channel_is_kept_though_the_rest_is_copied_from_another_variant() -> None:
    bundle, models = golden_models()
    seen = 0
    for number, model in enumerate(models):
        for wrong in with_swapped_channels(model):
            given = [*models[:number], wrong, *models[number + 1 :]]
            payload = deduplicate(given)
            variants = [
                dataclasses.replace(
                    info, bytes=len(file), sha256=hashlib.sha256(file).hexdigest(), stored=stored
                )
                for info, file, stored in zip(bundle.variants, given, payload.stored, strict=True)
            ]
            manifest = dataclasses.replace(
                bundle.manifest, payload_bytes=len(payload.data), variants=tuple(variants)
            )
            found = Bundle.from_bytes(pack(manifest, payload))
            assert [found.model(info.name) for info in found.variants] == given
            seen += 1
    assert seen > len(models)


def test_one_wrong_channel_in_the_payload_is_seen() -> None:
    """Under a right checksum of the whole, each file that holds the channel is refused, and no other."""
    bundle, models = golden_models()
    payload = SHARED[: len(SHARED) - 32]
    seen = 0
    for wrong in with_swapped_channels(models[0]):
        assert payload.count(models[0]) == 1
        found = Bundle.from_bytes(resealed(SHARED.replace(models[0], wrong)))
        with pytest.raises(BundleError, match="is not the file"):
            found.model(bundle.variants[0].name)
        for info, model in zip(bundle.variants[1:], models[1:], strict=True):
            with contextlib.suppress(BundleError):
                assert found.model(info.name) == model
        seen += 1
    assert seen
