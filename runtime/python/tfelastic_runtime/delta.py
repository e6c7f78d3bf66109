"""Expanding a variant: its delta's instructions, carried out on the bundle's payload.

`tflite_export/bundle/FORMAT.md` is the norm. Nothing here knows what a .tflite is; nothing in a
delta is trusted: each instruction is checked before it is carried out, so work and memory are bounded
by the output's size, which the manifest bounds by the payload's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod

import numpy as np

from tfelastic_runtime.errors import BundleError

ADD, COPY, RUN, GATHER = range(4)
"""The instructions: what an instruction's first number is modulo 4."""
PLAIN, PER_ROW, PER_ELEMENT = range(3)
"""A gather's factors: none, one per step of the outermost loop, one per element of a row."""
NUMBER_BYTES = 5
LOOPS_MAX, SPANS_MAX = 3, 64
_KINDS = ("add", "copy", "run", "gather", "per_row", "per_element")
_FLOAT32 = np.dtype("<f4")


def expand(delta: memoryview, payload: memoryview, *, size: int) -> bytes:
    """Carry out a delta.

    Args:
        delta: The delta's bytes.
        payload: The bundle's payload, which the delta reads.
        size: How many bytes the delta must write.

    Raises:
        BundleError: The delta is malformed, reads outside the payload, or writes more or less
            than `size` bytes.
    """
    expansion = _Expansion(delta, payload, size)
    expansion.execute()
    return bytes(expansion.output)


def tally(delta: memoryview, payload: memoryview, *, size: int) -> dict[str, int]:
    """Return how many bytes each kind of instruction writes, of those that `expand` would return.

    The kinds are `add`, `copy`, `run`, `gather`, and with factors `per_row` and `per_element`.

    Raises:
        BundleError: As `expand`.
    """
    expansion = _Expansion(delta, payload, size)
    return dict(expansion.execute())


@dataclass(frozen=True)
class _Rows:
    """What a gather reads: `loops` of (count, stride), outermost first, and a row's (start, length)."""

    start: int
    loops: tuple[tuple[int, int], ...]
    spans: tuple[tuple[int, int], ...]

    @property
    def counts(self) -> tuple[int, ...]:
        return tuple(count for count, _ in self.loops)

    @property
    def row_bytes(self) -> int:
        return sum(length for _, length in self.spans)

    @property
    def end(self) -> int:
        last, length = self.spans[-1]
        return (
            self.start + sum((count - 1) * stride for count, stride in self.loops) + last + length
        )


class _Expansion:
    """The state of one expansion: what was read of the delta, `source`, and what was written."""

    def __init__(self, delta: memoryview, payload: memoryview, size: int) -> None:
        self.output = bytearray(size)
        self._delta = delta
        self._payload = payload
        self._read = 0
        self._source = 0
        self._written = 0

    def execute(self) -> Counter[str]:
        """Carry out every instruction, and return the bytes that each kind wrote."""
        instructions = (self._add, self._copy, self._run, self._gather)
        written: Counter[str] = Counter()
        while self._read < len(self._delta):
            token, before = self._number(), self._written
            instructions[token & 3](token >> 2)
            kind = token >> 2 if token & 3 == GATHER else 0
            written[_KINDS[(token & 3) + kind]] += self._written - before
        if self._written != len(self.output):
            raise BundleError(
                f"its delta writes {self._written} bytes, expected {len(self.output)}"
            )
        return written

    def _add(self, count: int) -> None:
        self._append(self._take(count))

    def _copy(self, count: int) -> None:
        start = self._source + self._signed()
        self._source = start + count
        self._append(self._range(start, count))

    def _run(self, count: int) -> None:
        (value,) = self._take(1)
        at = self._claim(count)
        self.output[at : at + count] = bytes((value,)) * count

    def _gather(self, kind: int) -> None:
        rows = self._rows(self._source + self._signed())
        self._range(rows.start, rows.end - rows.start)
        self._source = rows.end
        factors = self._factors(kind, rows)
        count = prod(rows.counts) * rows.row_bytes
        at = self._claim(count)
        target = np.frombuffer(self.output, np.uint8)[at : at + count]
        self._fetch(rows, target.reshape(*rows.counts, rows.row_bytes))
        if factors is not None:
            values = target.view(_FLOAT32).reshape(
                (rows.counts[0], -1) if kind == PER_ROW else (-1, rows.row_bytes // 4)
            )
            with np.errstate(all="ignore"):
                values *= factors[:, np.newaxis] if kind == PER_ROW else factors

    def _rows(self, start: int) -> _Rows:
        loops = tuple(
            (self._positive(), self._number()) for _ in range(self._bounded(0, LOOPS_MAX, "loops"))
        )
        spans, end = [], 0
        for _ in range(self._bounded(1, SPANS_MAX, "spans")):
            begin = end + self._number()
            length = self._positive()
            spans.append((begin, length))
            end = begin + length
        return _Rows(start, loops, tuple(spans))

    def _factors(self, kind: int, rows: _Rows) -> np.ndarray | None:
        """Return the factors, float32 `[rows or elements]`; None where there are none."""
        if kind == PLAIN:
            return None
        if kind not in (PER_ROW, PER_ELEMENT) or (kind == PER_ROW and not rows.loops):
            raise BundleError(f"its delta has a gather of unknown kind {kind}")
        if any(length % 4 for _, length in rows.spans):
            raise BundleError("its delta multiplies spans that are not whole float32 numbers")
        count = rows.counts[0] if kind == PER_ROW else rows.row_bytes // 4
        return np.frombuffer(self._range(self._number(), 4 * count), _FLOAT32)

    def _fetch(self, rows: _Rows, target: np.ndarray) -> None:
        """Copy a gather's spans into `target`, `[*counts, row_bytes]`; its range was checked."""
        pool = np.frombuffer(self._payload, np.uint8)
        # A loop that runs once never takes its stride, which may be beyond what numpy can hold.
        strides = tuple(stride if count > 1 else 0 for count, stride in rows.loops)
        at = 0
        for begin, length in rows.spans:
            target[..., at : at + length] = np.lib.stride_tricks.as_strided(
                pool[rows.start + begin :], (*rows.counts, length), (*strides, 1), writeable=False
            )
            at += length

    def _append(self, data: memoryview) -> None:
        at = self._claim(len(data))
        self.output[at : at + len(data)] = data

    def _claim(self, count: int) -> int:
        """Return where the next `count` bytes of output go."""
        at = self._written
        if not 1 <= count <= len(self.output) - at:
            raise BundleError(
                f"its delta has an instruction of {count} bytes where 1 .. {len(self.output) - at} fit"
            )
        self._written = at + count
        return at

    def _range(self, start: int, count: int) -> memoryview:
        """Return a checked range of the payload."""
        if not 0 <= start <= start + count <= len(self._payload):
            raise BundleError(
                f"its delta reads bytes {start} .. {start + count} of a payload of "
                f"{len(self._payload)}"
            )
        return self._payload[start : start + count]

    def _take(self, count: int) -> memoryview:
        """Return the next bytes of the delta itself."""
        if count > len(self._delta) - self._read:
            raise BundleError("its delta ends within an instruction")
        self._read += count
        return self._delta[self._read - count : self._read]

    def _number(self) -> int:
        value = 0
        for place in range(NUMBER_BYTES):
            (byte,) = self._take(1)
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                if value >> 32:
                    break
                return value
        raise BundleError("its delta has a number beyond 32 bits")

    def _signed(self) -> int:
        value = self._number()
        return -(value + 1 >> 1) if value & 1 else value >> 1

    def _positive(self) -> int:
        return self._bounded(1, (1 << 32) - 1, "bytes or steps")

    def _bounded(self, low: int, high: int, what: str) -> int:
        value = self._number()
        if not low <= value <= high:
            raise BundleError(f"its delta has {value} {what}, expected {low} .. {high}")
        return value
