"""Deltas do what FORMAT.md says: against a naive interpreter, and on every conformance case."""

import json
import struct
import tracemalloc
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tfelastic_runtime import BundleError
from tfelastic_runtime.delta import expand

DELTAS = json.loads(
    (Path(__file__).parents[2] / "runtime" / "conformance" / "deltas.json").read_text("utf-8")
)
PAYLOAD = bytes.fromhex(DELTAS["payload"])


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in cases]


def ran(delta: bytes, size: int, payload: bytes = PAYLOAD) -> bytes:
    return expand(memoryview(delta), memoryview(payload), size=size)


@pytest.mark.parametrize("case", named(DELTAS["expanded"]))
def test_expands(case: dict[str, Any]) -> None:
    output = bytes.fromhex(case["output"])
    delta = bytes.fromhex(case["delta"])
    assert ran(delta, len(output)) == output
    assert naive(delta, PAYLOAD, len(output)) == output


@pytest.mark.parametrize("case", named(DELTAS["refused"]))
def test_refuses(case: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="its delta"):
        ran(bytes.fromhex(case["delta"]), case["bytes"])


class RefusedError(Exception):
    """The naive interpreter's only complaint."""


def naive(delta: bytes, payload: bytes, size: int | None) -> bytes:
    """Carry out a delta byte by byte and number by number, straight from FORMAT.md.

    Without a size, any up to 400 bytes will do.
    """
    most = 400 if size is None else size
    rest, output, r = list(delta), bytearray(), 0

    def demand(ok: bool) -> None:
        if not ok:
            raise RefusedError

    def byte() -> int:
        demand(bool(rest))
        return rest.pop(0)

    def number() -> int:
        value = 0
        for place in range(5):
            found = byte()
            value += found % 128 * 128**place
            if found < 128:
                demand(value < 2**32)
                return value
        raise RefusedError

    def signed() -> int:
        value = number()
        return value // 2 if value % 2 == 0 else -(value + 1) // 2

    def pairs(most: int) -> list[tuple[int, int]]:
        count = number()
        demand(count <= most)
        return [(number(), number()) for _ in range(count)]

    def read(start: int, count: int) -> bytes:
        demand(start >= 0 and start + count <= len(payload))
        return payload[start : start + count]

    while rest:
        token = number()
        n, before = token // 4, len(output)
        if token % 4 == 0:
            demand(n <= len(rest))
            output += bytes(byte() for _ in range(n))
        elif token % 4 == 1:
            s = r + signed()
            demand(s >= 0 and s + n <= len(payload))
            output += read(s, n)
            r = s + n
        elif token % 4 == 2:
            value = byte()
            demand(n <= most)
            output += bytes([value]) * n
        else:
            s = r + signed()
            loops, runs = pairs(3), pairs(64)
            demand(bool(runs) and all(count for count, _ in loops) and all(n for _, n in runs))
            r = s + sum((c - 1) * stride for c, stride in loops) + sum(map(sum, runs))
            demand(s >= 0 and r <= len(payload))
            row_bytes = sum(length for _, length in runs)
            demand(n <= 2 and not (n == 1 and not loops))
            demand(n == 0 or all(length % 4 == 0 for _, length in runs))
            factors = number() if n else 0
            count = loops[0][0] if n == 1 else row_bytes // 4
            demand(n == 0 or factors + 4 * count <= len(payload))
            demand(np.prod([c for c, _ in loops], dtype=object) * row_bytes <= most)
            for index in product(*(range(c) for c, _ in loops)):
                at = s + sum(i * stride for i, (_, stride) in zip(index, loops, strict=True))
                row = b""
                for skip, length in runs:
                    row += read(at + skip, length)
                    at += skip + length
                if n:
                    which = [index[0]] * (row_bytes // 4) if n == 1 else range(row_bytes // 4)
                    elements = np.frombuffer(row, "<f4")
                    found = [np.frombuffer(read(factors + 4 * i, 4), "<f4")[0] for i in which]
                    with np.errstate(all="ignore"):
                        row = b"".join(
                            struct.pack("<f", np.float32(a) * np.float32(b))
                            for a, b in zip(elements, found, strict=True)
                        )
                output += row
        demand(before < len(output) <= most)
    demand(len(output) == (size or len(output)))
    return bytes(output)


@st.composite
def likely_deltas(draw: st.DrawFn) -> bytes:
    """Instructions whose numbers are mostly small, so that many of them are sound."""
    small = st.integers(0, 12)
    stray = st.one_of(small, small, small, small, st.integers(0, 255))
    instructions = []
    for _ in range(draw(st.integers(1, 4))):
        op, n = draw(st.integers(0, 3)), draw(st.integers(1, 9))
        if op == 0:
            instructions += [4 * n, *draw(st.lists(st.integers(0, 255), min_size=n, max_size=n))]
        elif op < 3:
            instructions += [4 * n + op, draw(stray)]
        else:
            kind = draw(st.integers(0, 2))
            loops = draw(st.lists(st.tuples(st.integers(1, 3), small), max_size=3))
            lengths = st.sampled_from([4, 8] if kind else [1, 2, 3, 5])
            runs = draw(st.lists(st.tuples(small, lengths), min_size=1, max_size=3))
            instructions += [
                4 * kind + 3,
                draw(stray),
                len(loops),
                *(x for pair in loops for x in pair),
            ]
            instructions += [len(runs), *(x for pair in runs for x in pair)]
            instructions += [draw(st.integers(0, 60))] if kind else []
    return bytes(instructions)


@settings(deadline=None)
@given(st.one_of(likely_deltas(), st.binary(max_size=24)), st.integers(1, 40))
def test_agrees_with_the_naive_interpreter(delta: bytes, stray: int) -> None:
    """On the size that the delta was meant for, if any, and on a stray one."""
    try:
        meant = naive(delta, PAYLOAD, None)
    except RefusedError:
        with pytest.raises(BundleError):
            ran(delta, stray)
        return
    found = ran(delta, len(meant)) if meant else b""
    # What bits a NaN has is the hardware's affair; writers keep them out.
    nans = np.isnan(np.frombuffer(meant[: len(meant) // 4 * 4], "<f4")).any()
    assert found == meant or nans
    if stray != len(meant):
        with pytest.raises(BundleError):
            ran(delta, stray)


@pytest.mark.parametrize("delta", ["ffffffff0f00", "feffffff0f00", "fdffffff0f00", "fcffffff0f00"])
def test_hostile_lengths_allocate_nothing(delta: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BundleError):
            ran(bytes.fromhex(delta), 1000)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
