"""Whatever part of a wide kernel a narrow one is, it is found, and gathering it gives every byte back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tfelastic_runtime.delta import expand

from tflite_export.bundle import kernel_slices
from tflite_export.bundle.delta import DeltaWriter


def gathered(narrow: np.ndarray, wide: np.ndarray) -> bytes | None:
    """Find `narrow` in `wide` and read it from there, behind seven other bytes."""
    found = kernel_slices.find_leading(narrow, wide) or kernel_slices.find_scattered(narrow, wide)
    if found is None:
        return None
    delta = DeltaWriter()
    gathers = kernel_slices.gathers(found, wide.shape, start=7, item_bytes=wide.dtype.itemsize)
    assert gathers is not None
    for rows in gathers:
        delta.gather(rows)
    payload = b"ignored" + wide.tobytes()
    return expand(memoryview(delta.finish()), memoryview(payload), size=narrow.nbytes)


@st.composite
def kernels(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """A wide kernel `[rows, taps, columns]`, and a narrow one cut out of it in one of five ways."""
    rows, columns = draw(st.integers(1, 8)), draw(st.integers(1, 12))
    dtype = draw(st.sampled_from([np.int8, np.int32]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    way = draw(st.sampled_from(["leading", "flatten", "columns", "rows", "whole"]))
    taps = 1 if way == "flatten" else draw(st.integers(1, 9))
    positions = draw(st.integers(2, 4)) if way == "flatten" else 1
    wide = rng.integers(-128, 128, (rows, taps, positions * columns)).astype(dtype)
    kept_rows, kept = draw(st.integers(1, rows)), draw(st.integers(1, columns))
    some = st.lists(st.integers(0, 99), min_size=1, max_size=12, unique=True).map(sorted)
    if way == "flatten":
        by_position = wide.reshape(rows, positions, columns)[:kept_rows, :, :kept]
        return wide, by_position.reshape(kept_rows, 1, -1).copy()
    if way == "columns":
        chosen = sorted({index % columns for index in draw(some)})
        return wide, wide[:kept_rows][:, :, chosen].copy()
    if way == "rows":
        chosen = sorted({index % rows for index in draw(some)})
        return wide, wide[chosen][:, :, :kept].copy()
    return wide, wide.copy() if way == "whole" else wide[:kept_rows, :, :kept].copy()


@settings(deadline=None)
@given(kernels())
def test_every_part_is_found(pair: tuple[np.ndarray, np.ndarray]) -> None:
    wide, narrow = pair
    assert gathered(narrow, wide) == narrow.tobytes()


@settings(deadline=None)
@given(kernels(), st.integers(0, 2**32 - 1))
def test_one_wrong_number_is_never_gathered(pair: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    wide, narrow = pair
    place = np.random.default_rng(seed).integers(narrow.size)
    narrow.flat[place] ^= 1
    assert gathered(narrow, wide) in (None, narrow.tobytes())


@pytest.mark.parametrize(
    ("shape", "rows", "columns", "gathers"),
    [
        ((64, 9, 64), 32, 32, 1),  # a convolution: rows, taps, a span
        ((1, 9, 64), 1, 32, 1),  # a depthwise one: taps, a span
        ((10, 1, 64), 10, 32, 1),  # a dense one: rows, a span
        ((64, 9, 64), 32, 64, 1),  # leading rows alone are one span
    ],
)
def test_deltas_are_short(shape: tuple[int, ...], rows: int, columns: int, gathers: int) -> None:
    wide = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    found = kernel_slices.find_leading(wide[:rows, :, :columns], wide)
    assert found is not None
    written = kernel_slices.gathers(found, shape, start=0, item_bytes=1)
    assert written is not None
    assert len(written) == gathers
    delta = DeltaWriter()
    delta.gather(written[0])
    assert len(delta.finish()) <= 16


def test_a_pattern_behind_flatten_and_concatenate_is_told_once() -> None:
    """49 positions of three spans each: one loop over three spans."""
    wide = np.random.default_rng(0).integers(-128, 128, (4, 49, 60)).astype(np.int8)
    parts = [wide[:, :, 0:5], wide[:, :, 20:30], wide[:, :, 45:50]]
    narrow = np.concatenate(parts, axis=2).reshape(4, 1, -1)
    wide = wide.reshape(4, 1, -1)
    found = kernel_slices.find_scattered(narrow, wide)
    assert found is not None
    (rows,) = kernel_slices.gathers(found, wide.shape, start=0, item_bytes=1) or ()
    assert rows.loops == ((4, 49 * 60), (49, 60))
    assert rows.spans == ((0, 5), (15, 10), (15, 5))
    assert gathered(narrow, wide) == narrow.tobytes()
