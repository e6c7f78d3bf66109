"""Recognizing a narrower variant's kernel in a wider one's, and telling how to gather it.

Kernels are looked at as `[rows, taps, columns]`: a convolution's `[out, height x width, in]`, a
depthwise one's `[1, height x width, channels]`, a dense one's `[out, 1, in]`. A narrower kernel keeps
leading rows and columns; behind a Flatten or Concatenate it keeps a union of such stretches.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tfelastic_runtime.program import LOOPS_MAX, PLAIN, RUNS_MAX

from tflite_export.bundle.program import Gather

Stretch = tuple[int, int]
"""First index and length of neighbouring rows or columns."""


@dataclass(frozen=True)
class Selection:
    """The rows and columns of a wider kernel that a narrower one is made of, ascending."""

    rows: tuple[Stretch, ...]
    columns: tuple[Stretch, ...]

    def of(self, kernel: np.ndarray) -> np.ndarray:
        """Return these rows and columns of `[rows, taps, columns]`."""
        return kernel[_indices(self.rows)][:, :, _indices(self.columns)]


def matrix(values: np.ndarray) -> np.ndarray:
    """Return a kernel as `[rows, taps, columns]`."""
    rows = values.shape[0] if values.ndim > 1 else 1
    columns = values.shape[-1] if values.ndim else 1
    return values.reshape(rows, -1, columns)


def find_leading(narrow: np.ndarray, wide: np.ndarray) -> Selection | None:
    """Return which leading rows and columns of `wide` are `narrow`; None if none are.

    Args:
        narrow: A kernel, `[rows, taps, columns]` of integers.
        wide: Another that it fits into, of the same type.
    """
    for selection in leading(narrow.shape, wide.shape):
        if _equals(narrow, wide, selection):
            return selection
    return None


def find_scattered(narrow: np.ndarray, wide: np.ndarray) -> Selection | None:
    """Return which rows or columns of `wide`, in order, are `narrow`; None if none are.

    One of both must be leading. So what a Concatenate leaves of a kernel is found.

    Args:
        narrow: A kernel, `[rows, taps, columns]` of integers.
        wide: Another that it fits into, of the same type.
    """
    rows, _, columns = narrow.shape
    some_columns = _subsequence(_columns(narrow), _columns(wide[:rows]))
    if some_columns is not None:
        return Selection(((0, rows),), some_columns)
    some_rows = _subsequence(_rows(narrow), _rows(wide[:, :, :columns]))
    if some_rows is not None:
        return Selection(some_rows, ((0, columns),))
    return None


def fits(narrow: Sequence[int], wide: Sequence[int]) -> bool:
    """Return whether a kernel of one shape can be part of one of another shape."""
    return narrow[1] == wide[1] and narrow[0] <= wide[0] and narrow[2] <= wide[2]


def leading(narrow: Sequence[int], wide: Sequence[int]) -> Iterator[Selection]:
    """Yield the selections of leading rows and columns, behind a Flatten of 1, 2, ... positions."""
    rows, taps, columns = narrow
    for positions in _divisors(math.gcd(columns, wide[2])) if taps == 1 else (1,):
        kept, step = columns // positions, wide[2] // positions
        if positions == 1 or kept < step:
            stretches = tuple((position * step, kept) for position in range(positions))
            yield Selection(((0, rows),), stretches)


def gathers(
    selection: Selection, shape: Sequence[int], *, start: int, item_bytes: int, kind: int = PLAIN
) -> list[Gather] | None:
    """Return the gathers that read a selection, one per stretch of rows; None if they are too many.

    Args:
        selection: What to read.
        shape: The wider kernel's `[rows, taps, columns]`.
        start: Where that kernel lies in the payload.
        item_bytes: Bytes of one element.
        kind: What the factors that come later belong to. They need loops and runs as they are, so
            only those without factors are simplified.
    """
    _, taps, columns = shape
    period = _period(selection.columns)
    runs = selection.columns[:period]
    if len(runs) > RUNS_MAX or len(selection.rows) > RUNS_MAX:
        return None
    inner = [(taps, columns * item_bytes)]
    if period < len(selection.columns):
        stride = selection.columns[period][0] - runs[0][0]
        inner.append((len(selection.columns) // period, stride * item_bytes))
    found = []
    for first, count in selection.rows:
        row_bytes = taps * columns * item_bytes
        loops = [(count, row_bytes), *((n, stride) for n, stride in inner if n > 1)]
        begin = start + first * row_bytes + runs[0][0] * item_bytes
        row = Gather(begin, tuple(loops[:LOOPS_MAX]), _skips(runs, item_bytes), kind)
        found.append(row if kind != PLAIN else simplest(row))
    return found


def simplest(rows: Gather) -> Gather:
    """Return a gather without factors in its shortest form: loops over neighbours become one run."""
    loops, runs = [loop for loop in rows.loops if loop[0] > 1], rows.runs
    while loops and len(runs) == 1 and loops[-1][1] == runs[0][1]:
        count, _ = loops.pop()
        runs = ((0, count * runs[0][1]),)
    return Gather(rows.start, tuple(loops), runs)


def _skips(runs: Sequence[Stretch], item_bytes: int) -> tuple[tuple[int, int], ...]:
    found, end = [], runs[0][0]
    for first, length in runs:
        found.append(((first - end) * item_bytes, length * item_bytes))
        end = first + length
    return tuple(found)


def _period(stretches: Sequence[Stretch]) -> int:
    """Return after how many stretches the same pattern comes again, moved by one and the same step."""
    for period in _divisors(len(stretches)):
        steps = {
            (later[0] - first[0], later[1] == first[1])
            for first, later in zip(stretches, stretches[period:], strict=False)
        }
        if not steps or (len(steps) == 1 and steps.pop()[1]):
            return period
    return len(stretches)


def _equals(narrow: np.ndarray, wide: np.ndarray, selection: Selection) -> bool:
    # One row tells nearly always, and costs next to nothing.
    columns = _indices(selection.columns)
    if not np.array_equal(wide[0][:, columns], narrow[0]):
        return False
    return np.array_equal(selection.of(wide), narrow)


def _subsequence(wanted: list[bytes], offered: list[bytes]) -> tuple[Stretch, ...] | None:
    """Return the stretches of `offered` that are, in order, `wanted`; None if it is not in there."""
    found: list[int] = []
    places = iter(enumerate(offered))
    for want in wanted:
        for place, offer in places:
            if offer == want:
                found.append(place)
                break
        else:
            return None
    return _stretches(found)


def _stretches(indices: Sequence[int]) -> tuple[Stretch, ...]:
    found: list[Stretch] = []
    for index in indices:
        if found and sum(found[-1]) == index:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((index, 1))
    return tuple(found)


def _indices(stretches: Sequence[Stretch]) -> np.ndarray | slice:
    if len(stretches) == 1:
        first, length = stretches[0]
        return slice(first, first + length)
    return np.concatenate([np.arange(first, first + length) for first, length in stretches])


def _columns(kernel: np.ndarray) -> list[bytes]:
    return _rows(np.moveaxis(kernel, -1, 0))


def _rows(kernel: np.ndarray) -> list[bytes]:
    return [row.tobytes() for row in np.ascontiguousarray(kernel)]


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]
