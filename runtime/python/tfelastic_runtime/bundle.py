"""Opening a bundle: one file that holds every variant of an elastic network.

The layout (`tflite_export/bundle/FORMAT.md`): a header of 24 bytes, the manifest, a payload of bytes
that the variants share, and a SHA-256 over all of it. A variant lies in the payload whole, or a
delta there writes it. Every length is checked against the file's true size before anything is read
by it. The file is mapped, not read: opening costs the memory of its manifest, which has at most
`MANIFEST_BYTES_MAX` bytes.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from tfelastic_runtime.delta import expand, tally
from tfelastic_runtime.errors import BundleError, ProfileError
from tfelastic_runtime.files import write_atomically
from tfelastic_runtime.latency import Profile
from tfelastic_runtime.limits import MANIFEST_BYTES_MAX, UNPACKED_RATIO_MAX
from tfelastic_runtime.manifest import Manifest, padded
from tfelastic_runtime.schema import Schema
from tfelastic_runtime.variant import VariantInfo

MAGIC = b"\x89TFE\r\n\x1a\n"
"""Not text, and changed by any transfer that converts line ends."""
CONTAINER_VERSION = 3
HEADER = struct.Struct("<8sIIQ")
"""Magic, container version, the manifest's bytes, the file's bytes; little-endian."""
DIGEST_BYTES = 32
_Result = TypeVar("_Result")


class Bundle:
    """An opened bundle: its manifest and its variants.

    Examples:
        >>> bundle = Bundle.open("model.elastic")
        >>> [variant.name for variant in bundle.variants]
        ['w100', 'w075', 'w050', 'w025']
    """

    def __init__(self, manifest: Manifest, payload: memoryview, *, source: str) -> None:
        self._manifest = manifest
        self._payload = payload
        self._source = source

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Bundle:
        """Map and check a bundle.

        Replace the file by renaming another to its name, as `tflite_export.write_bundle` does: a
        mapped file must not be overwritten or cut while it is in use.

        Args:
            path: The file.

        Raises:
            BundleError: The file is no bundle, is damaged, or is of a newer format; the message
                names it.
            OSError: The file cannot be opened.
        """
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            _check_header(file.read(HEADER.size), size, str(path))
            mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        return cls.from_bytes(mapped, source=str(path))

    @classmethod
    def from_bytes(cls, data: bytes | mmap.mmap, *, source: str = "the bundle") -> Bundle:
        """Check a bundle that is in memory already.

        Args:
            data: The whole bundle.
            source: What error messages call it.

        Raises:
            BundleError: The data are no bundle, are damaged, or are of a newer format.
        """
        manifest_bytes = _check_header(data[: HEADER.size], len(data), source)
        view = memoryview(data)
        if hashlib.sha256(view[:-DIGEST_BYTES]).digest() != view[-DIGEST_BYTES:]:
            raise BundleError(f"{source} is damaged: its checksum does not match. Copy it anew")
        manifest_end = HEADER.size + manifest_bytes
        if manifest_bytes > MANIFEST_BYTES_MAX:
            raise BundleError(
                f"{source}: its manifest has {manifest_bytes} bytes, readers hold at most "
                f"{MANIFEST_BYTES_MAX}"
            )
        schema = Schema(BundleError)
        try:
            manifest = Manifest.from_json(
                schema.parse(bytes(view[HEADER.size : manifest_end]), "the manifest")
            )
        except BundleError as cause:
            raise BundleError(f"{source}: {cause}") from cause
        payload = view[padded(manifest_end) : -DIGEST_BYTES]
        if len(payload) != manifest.payload_bytes:
            raise BundleError(
                f"{source}: the manifest states a payload of {manifest.payload_bytes} bytes, "
                f"the file's has {len(payload)}"
            )
        return cls(manifest, payload, source=source)

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self._manifest

    @property
    def variants(self) -> tuple[VariantInfo, ...]:
        """The variants, widest first."""
        return self._manifest.variants

    @cached_property
    def payload_sha256(self) -> str:
        """The SHA-256 of the payload, in hexadecimal: by it a measured table names its bundle."""
        return hashlib.sha256(self._payload).hexdigest()

    def variant(self, name: str) -> VariantInfo:
        """Return the named variant's record.

        Raises:
            BundleError: There is no such variant; the message names those there are.
        """
        for variant in self.variants:
            if variant.name == name:
                return variant
        known = ", ".join(variant.name for variant in self.variants)
        raise BundleError(f"{self._source} has no variant {name!r}; it has {known}")

    def check_profile(self, profile: Profile) -> None:
        """Check that a table was measured with this bundle, and names its variants and no other.

        Raises:
            ProfileError: It is another bundle's.
        """
        if profile.bundle_sha256 not in (None, self.payload_sha256):
            raise ProfileError(
                "the profile was measured with another bundle, whose payload has the SHA-256 "
                f"{profile.bundle_sha256}; this one's has {self.payload_sha256}: measure it"
            )
        names = [variant.name for variant in self.variants]
        if set(profile.latencies) != set(names):
            raise ProfileError(
                f"the profile is not of this bundle: expected latencies of {', '.join(names)}, "
                f"received {', '.join(map(repr, profile.latencies))}"
            )

    def model(self, name: str) -> bytes:
        """Return the named variant's .tflite, byte for byte as it was packed.

        Raises:
            BundleError: There is no such variant, its delta is malformed, or its bytes are not
                those that its SHA-256 identifies.
        """
        variant = self.variant(name)
        if variant.stored.whole:
            model = bytes(self._payload[variant.stored.offset :][: variant.bytes])
        else:
            model = self._carried_out(expand, variant)
        if hashlib.sha256(model).hexdigest() != variant.sha256:
            raise BundleError(
                f"{self._source}: variant {name!r} is not the file that its sha256 identifies"
            )
        return model

    def tally(self, name: str) -> dict[str, int]:
        """Return how many of the named variant's bytes come from where.

        Returns:
            Bytes by kind: `whole` where it is stored so; else `add` for those that its delta
            holds, `run` for repeated ones, and for those shared with other variants `copy`,
            `gather`, and with factors `per_row` and `per_element`.

        Raises:
            BundleError: There is no such variant, or its delta is malformed.
        """
        variant = self.variant(name)
        if variant.stored.whole:
            return {"whole": variant.bytes}
        return self._carried_out(tally, variant)

    def _carried_out(self, what: Callable[..., _Result], variant: VariantInfo) -> _Result:
        stored = variant.stored
        delta = self._payload[stored.offset : stored.offset + stored.bytes]
        try:
            return what(delta, self._payload, size=variant.bytes)
        except BundleError as cause:
            raise BundleError(f"{self._source}: variant {variant.name!r}: {cause}") from cause

    @property
    def unpacked_bytes(self) -> int:
        """The bytes of all variants together, each as a file of its own."""
        return sum(variant.bytes for variant in self.variants)

    def unpack(
        self, folder: str | os.PathLike[str], *, limit_bytes: int | None = None
    ) -> tuple[Path, ...]:
        """Write every variant as `NAME.tflite`, and nothing outside the folder.

        A bundle stores once what its variants share, so a small file can hold many large ones.

        Args:
            folder: Made if it does not exist; files of the same names are replaced.
            limit_bytes: The most bytes to write; by default 16 times the payload's.

        Returns:
            The files, widest variant first.

        Raises:
            BundleError: The variants together are larger than the limit, and nothing was written; or
                a variant is damaged, and those before it were written, each of them whole.
            OSError: A file cannot be written.
        """
        if limit_bytes is None:
            limit_bytes = UNPACKED_RATIO_MAX * len(self._payload)
        if self.unpacked_bytes > limit_bytes:
            raise BundleError(
                f"{self._source}: its {len(self.variants)} variants have {self.unpacked_bytes:,} "
                f"bytes together, more than the limit of {limit_bytes:,} bytes: its payload has "
                f"{len(self._payload):,}. Pass a larger limit if that is meant"
            )
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for variant in self.variants:
            model = self.model(variant.name)
            path = folder / f"{variant.name}.tflite"
            write_atomically(path, model)
            paths.append(path)
        return tuple(paths)

    def __repr__(self) -> str:
        names = ", ".join(variant.name for variant in self.variants)
        return f"Bundle({self._manifest.name!r}: {names})"


def _check_header(header: bytes, size: int, source: str) -> int:
    """Return the manifest's length after checking everything that the header says."""
    if header[: len(MAGIC)] != MAGIC:
        raise BundleError(f"{source} is not a tfelastic bundle: it begins with {header[:8]!r}")
    if len(header) < HEADER.size:
        raise BundleError(
            f"{source} is cut off: it has {size} bytes, the header alone has {HEADER.size}"
        )
    _, version, manifest_bytes, file_bytes = HEADER.unpack(header)
    if version != CONTAINER_VERSION:
        raise BundleError(
            f"{source} is of container version {version}, this reader knows version "
            f"{CONTAINER_VERSION}: update tfelastic_runtime, or export the bundle again"
        )
    if file_bytes != size:
        raise BundleError(f"{source} is damaged: it should have {file_bytes} bytes, it has {size}")
    if padded(HEADER.size + manifest_bytes) + DIGEST_BYTES > size:
        raise BundleError(
            f"{source} is damaged: a manifest of {manifest_bytes} bytes does not fit into its "
            f"{size} bytes"
        )
    return manifest_bytes
