"""A stand-in for a board: a pseudo-terminal that prints the lines of `runtime/SPEC.md`, section 6."""

import contextlib
import os
import threading
import tty
from collections.abc import Iterable, Iterator, Sequence

from tflite_export._profile.serial_line import checksum


def framed(*fields: object) -> bytes:
    """Return a line with its check."""
    text = ",".join(("TFE", *map(str, fields)))
    return f"${text}*{checksum(text.encode()):02X}\r\n".encode()


def block(names: Sequence[str], *, sha256: str, turns: int = 8) -> list[bytes]:
    """Return a board's lines: two runs a turn, each variant faster than the one before."""
    lines = [
        framed("device", "name", "Bench board"),
        framed("device", "cpu_hz", 216000000),
        framed("runtime", "TFLM", "cmsis-nn"),
    ]
    for index, name in enumerate(names):
        lines += [framed("switch", name, 0), framed("first", name, 900 - index)]
    for turn in range(turns):
        for index, name in enumerate(names):
            lines += [framed("run", name, 500 - 100 * index + turn + each) for each in (0, 1)]
    return [framed("begin", 1, sha256), *lines, framed("end", len(lines))]


@contextlib.contextmanager
def board(answer: Iterable[bytes]) -> Iterator[str]:
    """Open a pseudo-terminal behind which `answer` is printed once the question has come; yield its path."""
    here, there = os.openpty()
    tty.setraw(there)

    def serve() -> None:
        received = b""
        with contextlib.suppress(OSError):
            while b"profile\n" not in received:
                received += os.read(here, 100)
            for part in answer:
                os.write(here, part)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield os.ttyname(there)
    finally:
        os.close(there)
        os.close(here)
        thread.join(5)
