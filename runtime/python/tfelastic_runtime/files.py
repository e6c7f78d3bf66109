"""Files that appear whole: under their name stands all that was to be written, or what stood there before."""

import contextlib
import errno
import os
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file beside its place, and rename it into it.

    No link is followed that stands in the place of either, so that nothing is written outside of the folder.

    Args:
        path: The file to create or replace; its folder exists.
        data: What it will hold.

    Raises:
        OSError: It cannot be written; `filename` is `path`, and what stood there stays.
    """
    temporary = path.with_name(f".tmp.{path.name}")
    try:
        temporary.unlink(missing_ok=True)
        # "x" refuses what stands there, a planted link too.
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            # A full disk may show at this point only.
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        # A write that fails names no file.
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
