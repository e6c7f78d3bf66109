"""Keeps the converter's and LiteRT's chatter off the terminal, yet at hand to explain an error."""

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

STDERR = 2
TAIL_CHARACTERS = 2000


class Chatter:
    """What was written to stderr inside `quietly`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def tail(self) -> str:
        """Return the last lines written so far, for use in an error's text."""
        end = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, end - TAIL_CHARACTERS))
        return self._file.read().decode(errors="replace").strip()


@contextmanager
def quietly() -> Iterator[Chatter]:
    """Catch what is written to stderr, and silence warnings, until the block ends.

    Both tools write from C++, past `sys.stderr`, so the file descriptor itself is turned aside.
    That holds for the whole process: keep the block short, and let other threads write to stdout.
    An exception passes through unchanged; whoever turns it into an error adds `Chatter.tail()`.
    """
    with tempfile.TemporaryFile() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.stderr.flush()
        saved = os.dup(STDERR)
        try:
            os.dup2(file.fileno(), STDERR)
            try:
                yield Chatter(file)
            finally:
                sys.stderr.flush()
                os.dup2(saved, STDERR)
        finally:
            os.close(saved)
