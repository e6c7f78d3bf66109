"""Writing a project: the network's folder whole or not at all, the user's files once.

The network's folder holds `SHA256SUMS`, as `sha256sum --check` reads it. By that a later run knows which
files are still as they were written, and replaces the folder only where all are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tfelastic_runtime.files import write_atomically

from tflite_export.errors import PackError

SUMS = "SHA256SUMS"


def check_unchanged(folder: Path) -> None:
    """Check that a network's folder holds what was written, and nothing else.

    Raises:
        PackError: A file was changed, removed or added.
    """
    if not folder.exists():
        return
    sums = folder / SUMS
    if not folder.is_dir() or not sums.is_file():
        raise PackError(f"{folder} was not written by embed: name another folder, or force it")
    written = {}
    for line in sums.read_text("utf-8").splitlines():
        digest, _, path = line.partition("  ")
        written[path] = digest
    found = {path: _digest((folder / path).read_bytes()) for path in _files(folder) if path != SUMS}
    differing = sorted(
        path for path in written.keys() | found.keys() if written.get(path) != found.get(path)
    )
    if differing:
        raise PackError(
            f"{folder} has changed since it was written: {', '.join(differing)}. Keep your changes elsewhere, "
            "or force it and lose them"
        )


def replace_folder(folder: Path, texts: Mapping[str, str]) -> None:
    """Write a network's folder beside its place, then exchange both.

    Raises:
        OSError: A file cannot be written; the folder that stood there stays.
    """
    fresh, old = (folder.with_name(f".{kind}.{folder.name}") for kind in ("new", "old"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    try:
        _write_all(fresh, texts)
        had = folder.exists()
        if had:
            os.replace(folder, old)
        try:
            os.replace(fresh, folder)
        except OSError:
            if had:
                os.replace(old, folder)
            raise
    finally:
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)


def write_starters(project: Path, texts: Mapping[str, str], *, force: bool) -> tuple[str, ...]:
    """Write the user's files that do not exist yet, or all where `force`; return the paths of those written."""
    written = []
    for path, text in texts.items():
        target = project / path
        if target.exists() and not force:
            continue
        _write(target, text.encode())
        written.append(path)
    return tuple(written)


def _write_all(folder: Path, texts: Mapping[str, str]) -> None:
    data = {path: text.encode() for path, text in texts.items()}
    sums = "".join(f"{_digest(each)}  {path}\n" for path, each in sorted(data.items()))
    for path, each in {**data, SUMS: sums.encode()}.items():
        _write(folder / path, each)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data)


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
