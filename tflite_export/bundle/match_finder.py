"""Finding what a file's tables have in common with bytes that are in the payload already.

A narrow variant's tables are nearly those of the widest: the same names, operators and options, with
other sizes and offsets between. Where the next bytes come from is therefore mostly a few bytes behind
the last ones, which a delta encodes in one byte; so even matches of four bytes pay.
"""

from __future__ import annotations

from collections import defaultdict, deque

from tflite_export.bundle.delta import DeltaWriter, number, signed

_WINDOW = 8
_FEWEST = 4
_DIAGONALS = 8
_PLACES = 12


class MatchFinder:
    """Writes bytes as copies of what `payload` holds, as runs, or added literally."""

    def __init__(self, payload: bytearray) -> None:
        self._payload = payload
        self._places: defaultdict[bytes, deque[int]] = defaultdict(lambda: deque(maxlen=_PLACES))

    def learn(self, start: int, stop: int) -> None:
        """Let this range of the payload be found."""
        data = bytes(self._payload[start:stop])
        for at in range(len(data) - _WINDOW + 1):
            self._places[data[at : at + _WINDOW]].append(start + at)

    def write(self, data: bytes, delta: DeltaWriter) -> None:
        """Append instructions that write `data`."""
        at, literal = 0, 0
        diagonals: deque[int] = deque(maxlen=_DIAGONALS)
        while at < len(data):
            # A literal in place of as many bytes that differ: the copy goes on behind them.
            source, count = self._longest(data, at, delta.source + literal, diagonals)
            gain = count - _cost(count, source - delta.source)
            repeated = _repeated(data, at)
            if repeated - 3 > max(gain, 0):
                delta.run(data[at], repeated)
                at, literal = at + repeated, 0
            elif gain > 1:
                delta.copy(source, count)
                at, literal = at + count, 0
                if source - at not in diagonals:
                    diagonals.append(source + count - at)
            else:
                delta.add(data[at : at + 1])
                at, literal = at + 1, literal + 1

    def _longest(
        self, data: bytes, at: int, expected: int, diagonals: deque[int]
    ) -> tuple[int, int]:
        """Return where the longest match of the next bytes lies, and its length."""
        candidates = [expected, *(at + offset for offset in diagonals)]
        candidates += self._places.get(data[at : at + _WINDOW], ())
        best, longest, most = 0, 0, 0
        for source in dict.fromkeys(candidates):
            if source < 0 or self._payload[source : source + _FEWEST] != data[at : at + _FEWEST]:
                continue
            count = self._equal(data, at, source)
            gain = count - _cost(count, source - expected)
            if gain > most:
                best, longest, most = source, count, gain
        return best, longest

    def _equal(self, data: bytes, at: int, source: int) -> int:
        """Return how many bytes are equal from here on."""
        limit = min(len(data) - at, len(self._payload) - source)
        low, step = 0, 16
        while low < limit and step:
            end = min(low + step, limit)
            if self._payload[source + low : source + end] == data[at + low : at + end]:
                low, step = end, 2 * step
            else:
                step = min(step, end - low) // 2
        return low


def _cost(count: int, distance: int) -> int:
    """Return the bytes of a copy, and of the literal that it may interrupt."""
    return len(number(count << 2)) + len(signed(distance)) + 1


def _repeated(data: bytes, at: int) -> int:
    """Return how often the byte at `at` stands there in a row."""
    return len(data) - at - len(data[at:].lstrip(data[at : at + 1])) if _runs(data, at) else 1


def _runs(data: bytes, at: int) -> bool:
    return data[at : at + _FEWEST] == data[at : at + 1] * _FEWEST
