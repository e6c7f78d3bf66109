"""Recognizing a narrower variant's kernel in a wider one's, and how to gather it.

Kernels are looked at as `[rows, taps, columns]`: a convolution's `[out, height x width, in]`, a
depthwise one's `[1, height x width, channels]`, a dense one's `[out, 1, in]`. A narrower kernel keeps
leading rows and columns; behind a Flatten or Concatenate it keeps a union of such spans.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tfelastic_runtime.delta import LOOPS_MAX, PLAIN, SPANS_MAX

from tflite_export.bundle.delta import Gather

Span = tuple[int, int]
"""First index and length of neighbouring rows or columns."""


@dataclass(frozen=True)
class KernelSlice:
    """The rows and columns of a wider kernel that a narrower one is made of, ascending."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    def of(self, kernel: np.ndarray) -> np.ndarray:
        """Return these rows and columns of `[rows, taps, columns]`."""
        return kernel[_indices(self.rows)][:, :, _indices(self.columns)]


def matrix(values: np.ndarray) -> np.ndarray:
    """Return a kernel as `[rows, taps, columns]`."""
    rows = values.shape[0] if values.ndim > 1 else 1
    columns = values.shape[-1] if values.ndim else 1
    return values.reshape(rows, -1, columns)


def find_leading(narrow: np.ndarray, wide: np.ndarray) -> KernelSlice | None:
    """Return which leading rows and columns of `wide` are `narrow`; None if none are.

    Args:
        narrow: A kernel, `[rows, taps, columns]` of integers.
        wide: Another that it fits into, of the same type.
    """
    for part in leading(narrow.shape, wide.shape):
        if _equals(narrow, wide, part):
            return part
    return None


def find_scattered(narrow: np.ndarray, wide: np.ndarray) -> KernelSlice | None:
    """Return which rows or columns of `wide`, in order, are `narrow`; None if none are.

    One of both must be leading. So what a Concatenate leaves of a kernel is found.

    Args:
        narrow: A kernel, `[rows, taps, columns]` of integers.
        wide: Another that it fits into, of the same type.
    """
    rows, _, columns = narrow.shape
    some_columns = _subsequence(_columns(narrow), _columns(wide[:rows]))
    if some_columns is not None:
        return KernelSlice(((0, rows),), some_columns)
    some_rows = _subsequence(_rows(narrow), _rows(wide[:, :, :columns]))
    if some_rows is not None:
        return KernelSlice(some_rows, ((0, columns),))
    return None


def fits(narrow: Sequence[int], wide: Sequence[int]) -> bool:
    """Return whether a kernel of one shape can be part of one of another shape."""
    return narrow[1] == wide[1] and narrow[0] <= wide[0] and narrow[2] <= wide[2]


def leading(narrow: Sequence[int], wide: Sequence[int]) -> Iterator[KernelSlice]:
    """Yield the slices of leading rows and columns, behind a Flatten of 1, 2, ... positions."""
    rows, taps, columns = narrow
    for positions in _divisors(math.gcd(columns, wide[2])) if taps == 1 else (1,):
        kept, step = columns // positions, wide[2] // positions
        if positions == 1 or kept < step:
            spans = tuple((position * step, kept) for position in range(positions))
            yield KernelSlice(((0, rows),), spans)


def gathers(
    part: KernelSlice, shape: Sequence[int], *, start: int, item_bytes: int, kind: int = PLAIN
) -> list[Gather] | None:
    """Return the gathers that read a slice, one per span of rows; None if they are too many.

    Args:
        part: What to read.
        shape: The wider kernel's `[rows, taps, columns]`.
        start: Where that kernel lies in the payload.
        item_bytes: Bytes of one element.
        kind: What the factors that come later belong to. They need loops and spans as they are, so
            only those without factors are simplified.
    """
    _, taps, columns = shape
    period = _period(part.columns)
    spans = part.columns[:period]
    if len(spans) > SPANS_MAX or len(part.rows) > SPANS_MAX:
        return None
    inner = [(taps, columns * item_bytes)]
    if period < len(part.columns):
        stride = part.columns[period][0] - spans[0][0]
        inner.append((len(part.columns) // period, stride * item_bytes))
    found = []
    for first, count in part.rows:
        row_bytes = taps * columns * item_bytes
        loops = [(count, row_bytes), *((n, stride) for n, stride in inner if n > 1)]
        begin = start + first * row_bytes + spans[0][0] * item_bytes
        row = Gather(begin, tuple(loops[:LOOPS_MAX]), _skips(spans, item_bytes), kind)
        found.append(row if kind != PLAIN else simplest(row))
    return found


def simplest(rows: Gather) -> Gather:
    """Return a gather without factors in its shortest form: loops over neighbours become one span."""
    loops, spans = [loop for loop in rows.loops if loop[0] > 1], rows.spans
    while loops and len(spans) == 1 and loops[-1][1] == spans[0][1]:
        count, _ = loops.pop()
        spans = ((0, count * spans[0][1]),)
    return Gather(rows.start, tuple(loops), spans)


def _skips(spans: Sequence[Span], item_bytes: int) -> tuple[tuple[int, int], ...]:
    found, end = [], spans[0][0]
    for first, length in spans:
        found.append(((first - end) * item_bytes, length * item_bytes))
        end = first + length
    return tuple(found)


def _period(spans: Sequence[Span]) -> int:
    """Return after how many spans the same pattern comes again, moved by one and the same step."""
    for period in _divisors(len(spans)):
        steps = {
            (later[0] - first[0], later[1] == first[1])
            for first, later in zip(spans, spans[period:], strict=False)
        }
        if not steps or (len(steps) == 1 and steps.pop()[1]):
            return period
    return len(spans)


def _equals(narrow: np.ndarray, wide: np.ndarray, part: KernelSlice) -> bool:
    # One row nearly always decides, and costs next to nothing.
    columns = _indices(part.columns)
    if not np.array_equal(wide[0][:, columns], narrow[0]):
        return False
    return np.array_equal(part.of(wide), narrow)


def _subsequence(wanted: list[bytes], offered: list[bytes]) -> tuple[Span, ...] | None:
    """Return the spans of `offered` that are, in order, `wanted`; None if it is not in there."""
    found: list[int] = []
    places = iter(enumerate(offered))
    for want in wanted:
        for place, offer in places:
            if offer == want:
                found.append(place)
                break
        else:
            return None
    return _spans(found)


def _spans(indices: Sequence[int]) -> tuple[Span, ...]:
    found: list[Span] = []
    for index in indices:
        if found and sum(found[-1]) == index:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((index, 1))
    return tuple(found)


def _indices(spans: Sequence[Span]) -> np.ndarray | slice:
    if len(spans) == 1:
        first, length = spans[0]
        return slice(first, first + length)
    return np.concatenate([np.arange(first, first + length) for first, length in spans])


def _columns(kernel: np.ndarray) -> list[bytes]:
    return _rows(np.moveaxis(kernel, -1, 0))


def _rows(kernel: np.ndarray) -> list[bytes]:
    return [row.tobytes() for row in np.ascontiguousarray(kernel)]


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]
