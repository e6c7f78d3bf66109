"""Atomic writes: a file appears under its name complete, or the one that stood there stays."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path to write to; where the block ends without an error, rename it to `path`.

    The data are on the disk before the file gets its name, so neither a killed process nor a power cut leaves
    a part of a file under `path`. The temporary file lies in the same folder, keeps the suffix, and is removed on
    failure. Its name is always the same: what a killed process left behind is replaced by the next write. One
    process at a time writes to a path.

    Args:
        path: The file to create or replace; its folder exists.

    Raises:
        OSError: The file cannot be written; `filename` is `path`.

    Examples:
        >>> from pathlib import Path
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> with atomic_write(Path(folder.name, "net.txt")) as temporary:
        ...     _ = temporary.write_text("whole")
        >>> Path(folder.name, "net.txt").read_text()
        'whole'
        >>> folder.cleanup()
    """
    path = Path(path)
    temporary = path.with_name(f".tmp.{path.name}")
    try:
        # A link that stands there would lead the writer out of the folder.
        temporary.unlink(missing_ok=True)
        yield temporary
        _sync(temporary, os.O_RDWR)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        # Libraries raise some with a text alone, and a full disk names no file.
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_atomically(path: str | os.PathLike[str], data: bytes | str) -> Path:
    """Write `data`, text as UTF-8, to `path` by `atomic_write` and return the path.

    Raises:
        OSError: The file cannot be written; `filename` is `path`.
    """
    with atomic_write(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)
    return Path(path)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system can open and sync folders."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            _sync(folder, os.O_RDONLY)
