"""Measured tables that travel inside a bundle: added to its manifest, the payload as it was."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tfelastic_runtime import Bundle, BundleError, Profile, ProfileError
from tfelastic_runtime.bundle import DIGEST_BYTES

from tflite_export.bundle.writer import sealed
from tflite_export.errors import PackError

_IDENTITY = ("name", "serial", "cpu_mask")


def add_profiles(path: str | os.PathLike[str], profiles: Sequence[Profile]) -> None:
    """Put measured tables into a bundle's manifest.

    A table of the same device, threads, CPU mask and kernels takes the place of the one before. The payload, by
    whose SHA-256 tables name a bundle, stays as it is.

    Args:
        path: The bundle; it is replaced by a rename, so a process that has it open keeps what it had.
        profiles: The tables, each of exactly the bundle's variants.

    Raises:
        PackError: A table is not of this bundle.
        BundleError: The file is no bundle, or is damaged.
        OSError: The file cannot be read or written.
    """
    from tfelastic.files import write_atomically

    data = Path(path).read_bytes()
    bundle = Bundle.from_bytes(data, source=str(path))
    manifest = bundle.manifest
    tables = {_identity(profile): profile for profile in manifest.profiles}
    for profile in profiles:
        try:
            bundle.check_profile(profile)
        except ProfileError as cause:
            raise PackError(f"{path}: the table cannot go into it: {cause}") from cause
        # Statistics that no device reads, and the classes that carry them, stay behind.
        plain = Profile.from_json(profile.to_json())
        tables[_identity(plain)] = plain
    try:
        changed = replace(manifest, profiles=tuple(tables.values()))
        written = sealed(changed, data[-DIGEST_BYTES - manifest.payload_bytes : -DIGEST_BYTES])
        Bundle.from_bytes(written, source=str(path))
    except BundleError as cause:
        raise PackError(f"{path}: the table cannot go into it: {cause}") from cause
    write_atomically(path, written)


def _identity(profile: Profile) -> tuple[Any, ...]:
    device: Mapping[str, Any] = profile.device
    return (*map(device.get, _IDENTITY), profile.threads, profile.kernels)
