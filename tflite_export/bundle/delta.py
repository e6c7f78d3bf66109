"""Writing deltas: the instructions from which a device expands a variant (`FORMAT.md`).

The instructions' numbers are the reader's own, so that writer and reader cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfelastic_runtime.delta import (
    ADD,
    COPY,
    GATHER,
    LOOPS_MAX,
    PER_ELEMENT,
    PER_ROW,
    PLAIN,
    RUN,
    SPANS_MAX,
)

COUNT_MAX = (1 << 30) - 1
"""The longest add, copy or run; longer ones are several instructions."""


@dataclass(frozen=True)
class Gather:
    """Spans of bytes, read in nested loops from a payload.

    Attributes:
        start: Where it begins to read.
        loops: (count, stride) of each loop, outermost first, strides in bytes.
        spans: (skip, length) of each span of a row, in bytes.
        kind: What the factors belong to: `PLAIN` has none.
        factors: Where the factors lie.
    """

    start: int
    loops: tuple[tuple[int, int], ...]
    spans: tuple[tuple[int, int], ...]
    kind: int = PLAIN
    factors: int = 0

    def __post_init__(self) -> None:
        if self.kind not in (PLAIN, PER_ROW, PER_ELEMENT):
            raise ValueError(f"kind: expected 0, 1 or 2, received {self.kind}")
        if len(self.loops) > LOOPS_MAX or not 1 <= len(self.spans) <= SPANS_MAX:
            raise ValueError(
                f"expected at most {LOOPS_MAX} loops and 1 to {SPANS_MAX} spans, "
                f"received {len(self.loops)} and {len(self.spans)}"
            )

    @property
    def end(self) -> int:
        """One past the last byte that it reads."""
        reach = sum((count - 1) * stride for count, stride in self.loops)
        return self.start + reach + sum(skip + length for skip, length in self.spans)


class DeltaWriter:
    """Builds a delta, instruction by instruction; an add goes on with the add before it."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._pending = bytearray()
        self._source = 0

    @property
    def source(self) -> int:
        """Where in the payload the last copy or gather ended: the next is addressed from there."""
        return self._source

    def add(self, data: bytes | memoryview) -> None:
        """Write these bytes."""
        self._pending += data

    def add_constant(self, data: bytes | memoryview) -> int:
        """Write these bytes as an add of their own, and return where in the delta they begin."""
        self._flush()
        self._pending += data
        self._flush()
        return len(self._done) - len(data)

    def copy(self, start: int, count: int) -> None:
        """Write `count` bytes of the payload from `start`."""
        self._flush()
        while count > 0:
            step = min(count, COUNT_MAX)
            self._done += number(step << 2 | COPY) + signed(start - self._source)
            self._source = start = start + step
            count -= step

    def run(self, value: int, count: int) -> None:
        """Write one byte many times."""
        self._flush()
        while count > 0:
            step = min(count, COUNT_MAX)
            self._done += number(step << 2 | RUN) + bytes((value,))
            count -= step

    def gather(self, rows: Gather) -> None:
        """Write what a gather reads; one that reads a single span becomes a copy."""
        if not rows.loops and len(rows.spans) == 1 and rows.kind == PLAIN:
            (skip, length) = rows.spans[0]
            self.copy(rows.start + skip, length)
            return
        self._flush()
        self._done += number(rows.kind << 2 | GATHER) + signed(rows.start - self._source)
        for pairs in (rows.loops, rows.spans):
            self._done += number(len(pairs)) + _pairs(pairs)
        if rows.kind != PLAIN:
            self._done += number(rows.factors)
        self._source = rows.end

    def finish(self) -> bytes:
        """Return the delta."""
        self._flush()
        return bytes(self._done)

    def _flush(self) -> None:
        for at in range(0, len(self._pending), COUNT_MAX):
            piece = self._pending[at : at + COUNT_MAX]
            self._done += number(len(piece) << 2 | ADD) + piece
        self._pending.clear()


def number(value: int) -> bytes:
    """Return an unsigned LEB128."""
    if not 0 <= value < 1 << 32:
        raise ValueError(f"a delta's numbers have 32 bits, received {value}")
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def signed(value: int) -> bytes:
    """Return a signed number, small ones of either sign in few bytes."""
    return number(2 * value if value >= 0 else -2 * value - 1)


def _pairs(pairs: Sequence[tuple[int, int]]) -> bytes:
    return b"".join(number(one) + number(other) for one, other in pairs)
