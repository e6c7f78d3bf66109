"""Captures what the converter and LiteRT write to stderr, and keeps it at hand to explain an error."""

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

STDERR = 2
TAIL_CHARACTERS = 2000


class CapturedStderr:
    """What was written to stderr inside `capture_stderr`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def tail(self) -> str:
        """Return the last lines written so far, for use in an error's text."""
        end = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, end - TAIL_CHARACTERS))
        return self._file.read().decode(errors="replace").strip()


@contextmanager
def capture_stderr() -> Iterator[CapturedStderr]:
    """Capture what is written to stderr, and silence warnings, until the block ends.

    Both tools write from C++, past `sys.stderr`, so the file descriptor itself is redirected.
    That holds for the whole process: keep the block short, and let other threads write to stdout.
    An exception passes through unchanged; whoever turns it into an error adds `CapturedStderr.tail()`.
    """
    with tempfile.TemporaryFile() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.stderr.flush()
        saved = os.dup(STDERR)
        try:
            os.dup2(file.fileno(), STDERR)
            try:
                yield CapturedStderr(file)
            finally:
                sys.stderr.flush()
                os.dup2(saved, STDERR)
        finally:
            os.close(saved)
