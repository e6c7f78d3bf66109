"""Writing a bundle: equal input gives equal bytes, and no half-written file is ever seen.

`FORMAT.md` is the norm. A bundle is read back through the device's own reader before it gets its
name, so a file that `write_bundle` leaves behind is one that opens.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfelastic_runtime import Bundle, BundleError, Manifest, Profile
from tfelastic_runtime.bundle import CONTAINER_VERSION, DIGEST_BYTES, HEADER, MAGIC
from tfelastic_runtime.manifest import padded

from tflite_export.bundle.deduplication import Payload
from tflite_export.bundle.interface import Interface
from tflite_export.bundle.manifest import Variant, canonical, describe
from tflite_export.errors import PackError


@dataclass(frozen=True)
class BundleReport:
    """What was written.

    Attributes:
        path: The bundle.
        bundle_bytes: Its size.
        manifest_bytes: The size of its manifest.
        variant_bytes: The size of each variant's .tflite, widest first.
        stored_bytes: What each added to the bundle: its whole file, or a delta that writes it from
            what the variants before it brought.
        sha256: The SHA-256 of the whole file, in hexadecimal.
    """

    path: str
    bundle_bytes: int
    manifest_bytes: int
    variant_bytes: Mapping[str, int]
    stored_bytes: Mapping[str, int]
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        width = max(map(len, (*self.variant_bytes, "manifest")))
        lines = [f"{self.path}: {self.bundle_bytes:,} bytes"]
        lines.append(f"  {'manifest':<{width}}  {'':>12}  {self.manifest_bytes:>12,}")
        for name, count in self.variant_bytes.items():
            stored = self.stored_bytes[name]
            lines.append(f"  {name:<{width}}  {count:>12,}  {stored:>12,}  {stored / count:>7.1%}")
        return "\n".join(lines)


def write_bundle(
    path: str | os.PathLike[str],
    variants: Sequence[Variant],
    *,
    name: str,
    interface: Interface | None = None,
    labels: Sequence[str] | None = None,
    profiles: Sequence[Profile] = (),
) -> BundleReport:
    """Pack variants into one file.

    Args:
        path: The bundle to write; an existing one is replaced.
        variants: Widest first.
        name: The network's name.
        interface: The network's inputs, outputs and score; by default those of an image classifier,
            from the first file.
        labels: One text per class, where no interface has them.
        profiles: Latency tables that travel with the bundle.

    Raises:
        PackError: The variants do not make one bundle, or the file did not read back as written.
        OSError: The file cannot be written.
    """
    from tfelastic.files import atomic_write

    path = Path(path)
    manifest, payload = describe(
        variants, name=name, interface=interface, labels=labels, profiles=profiles
    )
    data = pack(manifest, payload)
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)
        _read_back(temporary, manifest, variants)
    return BundleReport(
        path=str(path),
        bundle_bytes=len(data),
        manifest_bytes=len(canonical(manifest)),
        variant_bytes={variant.name: variant.bytes for variant in manifest.variants},
        stored_bytes={
            each.name: added for each, added in zip(variants, payload.added, strict=True)
        },
        sha256=hashlib.sha256(data).hexdigest(),
    )


def pack(manifest: Manifest, payload: Payload) -> bytes:
    """Return the bundle of a manifest and its payload as bytes.

    Args:
        manifest: What `describe` returned.
        payload: What it returned with it.
    """
    return sealed(manifest, payload.data)


def sealed(manifest: Manifest, payload: bytes) -> bytes:
    """Return header, manifest, payload and checksum, as `FORMAT.md` lays them out."""
    text = canonical(manifest)
    payload_start = padded(HEADER.size + len(text))
    file_bytes = payload_start + len(payload) + DIGEST_BYTES
    header = HEADER.pack(MAGIC, CONTAINER_VERSION, len(text), file_bytes)
    body = (header + text).ljust(payload_start, b"\0") + payload
    return body + hashlib.sha256(body).digest()


def _read_back(path: Path, manifest: Manifest, variants: Sequence[Variant]) -> None:
    try:
        bundle = Bundle.open(path)
        found = [bundle.model(variant.name) for variant in bundle.variants]
    except BundleError as cause:
        raise PackError(f"the bundle did not read back: {cause}") from cause
    if bundle.manifest != manifest or found != [variant.tflite for variant in variants]:
        raise PackError(f"the bundle did not read back as it was written to {path}")
