"""Layouts of random allocations: nothing overlaps, none beats the bound, none is worse than TFLM's own."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_export.arena.allocations import ALIGNMENT, Allocation
from tflite_export.arena.placement import height, lower_bound, search, tflm_offsets


@st.composite
def _allocations(draw: st.DrawFn) -> list[Allocation]:
    moments = draw(st.integers(1, 12))
    found = []
    for number in range(draw(st.integers(0, 14))):
        first = draw(st.integers(0, moments))
        last = draw(st.integers(first, moments))
        found.append(Allocation(ALIGNMENT * draw(st.integers(1, 40)), first, last, (number,)))
    return found


def overlapping(allocations: Sequence[Allocation], offsets: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs that share a byte at some moment, by looking at each moment."""
    found = []
    for moment in range(-1, max((each.last for each in allocations), default=-1) + 1):
        held = sorted(
            (offset, offset + each.bytes, number)
            for number, (each, offset) in enumerate(zip(allocations, offsets, strict=True))
            if each.first <= moment <= each.last
        )
        found += [(one[2], other[2]) for one, other in pairwise(held) if other[0] < one[1]]
    return found


@given(_allocations())
@settings(max_examples=150, deadline=None)
def test_a_plan_is_a_layout_between_the_bound_and_tflms(allocations: list[Allocation]) -> None:
    own, planned = tflm_offsets(allocations), search(allocations)
    for offsets in (own, planned):
        assert not overlapping(allocations, offsets)
        assert all(offset >= 0 and offset % ALIGNMENT == 0 for offset in offsets)
    least = lower_bound(allocations)
    assert least <= height(allocations, planned) <= height(allocations, own)
    moments = range(14)
    alive = [sum(a.bytes for a in allocations if a.first <= m <= a.last) for m in moments]
    assert least == max(alive)


@given(_allocations(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_tflm_keeps_to_a_plan_and_places_the_rest_around(allocations, random) -> None:
    planned = search(allocations)
    fixed = [offset if random.random() < 0.7 else None for offset in planned]
    offsets = tflm_offsets(allocations, fixed)
    assert not overlapping(allocations, offsets)
    assert all(given_ in (None, offset) for given_, offset in zip(fixed, offsets, strict=True))


def test_the_search_reaches_the_bound_where_the_largest_first_do_not() -> None:
    # The largest first leaves a gap of one unit below the last of these.
    sizes = [(3, 0, 1), (2, 1, 2), (3, 2, 3), (1, 0, 3), (2, 3, 4), (4, 4, 5), (1, 2, 5)]
    allocations = [Allocation(16 * size, *life, (0,)) for size, *life in sizes]
    assert height(allocations, search(allocations)) == lower_bound(allocations)


def test_equal_problems_get_equal_plans() -> None:
    allocations = [Allocation(16 * (1 + 7 * i % 11), i % 5, i % 5 + i % 3, (i,)) for i in range(40)]
    assert search(allocations, seed=3) == search(allocations, seed=3)
