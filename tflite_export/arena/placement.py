"""Where allocations go in an arena, so that no two that are needed at one moment overlap.

TFLM places the largest first, each into the lowest gap that is free while it is needed. How high the arena becomes
depends on the order, and a better one is searched for: from several starting orders, by moving what stands highest
to the front, until the arena is as low as the bytes that are needed at one moment, which no layout can beat, or the
tries are used up. (The idea of repairing the order at the top is the hill climbing of Arm's Vela compiler.)
"""

import random
from collections import defaultdict
from collections.abc import Sequence

from tflite_export.arena.allocations import Allocation

TRIES = 400
"""Orders that are tried at most; a fixed number, so that equal files get equal plans on every machine."""
PLACEMENTS = 200_000
"""Allocations that are placed at most, all orders together: it bounds the time on networks of many hundred tensors."""


def lower_bound(allocations: Sequence[Allocation]) -> int:
    """Return the most bytes that are needed at one moment."""
    change: dict[int, int] = defaultdict(int)
    for each in allocations:
        change[each.first] += each.bytes
        change[each.last + 1] -= each.bytes
    most = held = 0
    for moment in sorted(change):
        held += change[moment]
        most = max(most, held)
    return most


def height(allocations: Sequence[Allocation], offsets: Sequence[int]) -> int:
    """Return how large an arena a layout needs."""
    return max(
        (offset + each.bytes for each, offset in zip(allocations, offsets, strict=True)), default=0
    )


def tflm_offsets(
    allocations: Sequence[Allocation], fixed: Sequence[int | None] | None = None
) -> list[int]:
    """Return where TFLM's greedy planner puts allocations.

    Args:
        allocations: In the order in which TFLM adds them.
        fixed: The offset of each that a memory plan states; TFLM keeps to it, and places the rest around.
    """
    given = list(fixed) if fixed is not None else [None] * len(allocations)
    # Of equally large ones TFLM places the last first.
    free = [index for index in reversed(range(len(given))) if given[index] is None]
    order = sorted(free, key=lambda index: -allocations[index].bytes)
    return _Layout(allocations).place(order, given)


def search(allocations: Sequence[Allocation], *, seed: int = 0) -> list[int]:
    """Return offsets of allocations in an arena that is as low as the search can make it.

    It is never higher than the one of TFLM's greedy planner.

    Args:
        allocations: What to place.
        seed: Of the random choices.
    """
    layout, bound, rng = _Layout(allocations), lower_bound(allocations), random.Random(seed)
    best = tflm_offsets(allocations)
    tries = min(TRIES, PLACEMENTS // max(len(allocations), 1))
    orders = _starting_orders(allocations)
    current, lowest = orders[0], height(allocations, best)
    reached = lowest
    for number in range(tries):
        if lowest == bound:
            break
        order = orders[number] if number < len(orders) else _repaired(current, layout, rng)
        offsets = layout.place(order)
        found = height(allocations, offsets)
        # A layout as high as the last is a step as well: otherwise the search stands still on every plateau.
        if found <= reached or rng.random() < RESTLESSNESS:
            current, reached, layout.last = order, found, offsets
        if found < lowest:
            best, lowest = offsets, found
    return best


RESTLESSNESS = 0.02
"""How often a worse order is taken up, so that the search leaves a dead end."""


class _Layout:
    """Places allocations in a given order, each into the lowest gap."""

    def __init__(self, allocations: Sequence[Allocation]) -> None:
        self.allocations = allocations
        self.beside = [
            [other for other, its in enumerate(allocations) if other != index and its.meets(each)]
            for index, each in enumerate(allocations)
        ]
        self.last: list[int] = [0] * len(allocations)

    def place(self, order: Sequence[int], fixed: Sequence[int | None] | None = None) -> list[int]:
        """Return the offset of each allocation, placed in an order around those that are fixed."""
        offsets: list[int | None] = [None] * len(self.allocations)
        if fixed is not None:
            offsets = list(fixed)
        sizes = [each.bytes for each in self.allocations]
        for index in order:
            taken = sorted(
                (offset, offset + sizes[other])
                for other in self.beside[index]
                if (offset := offsets[other]) is not None
            )
            low = 0
            for start, end in taken:
                if start - low >= sizes[index]:
                    break
                low = max(low, end)
            offsets[index] = low
        return [offset or 0 for offset in offsets]


def _starting_orders(allocations: Sequence[Allocation]) -> list[list[int]]:
    """Return orders that are good on many networks: by size, by length of life, by both, around the fullest moment."""
    held: dict[int, int] = defaultdict(int)
    for each in allocations:
        for moment in range(each.first, each.last + 1):
            held[moment] += each.bytes
    fullest = [max((held[m] for m in range(a.first, a.last + 1)), default=0) for a in allocations]
    keys = (
        lambda i: (-fullest[i], -allocations[i].bytes),
        lambda i: (-fullest[i], allocations[i].first),
        lambda i: (-allocations[i].bytes, allocations[i].first),
        lambda i: -allocations[i].bytes * (allocations[i].last - allocations[i].first + 1),
        lambda i: (allocations[i].first - allocations[i].last, -allocations[i].bytes),
        lambda i: (allocations[i].first, -allocations[i].bytes),
        lambda i: (-allocations[i].last, -allocations[i].bytes),
    )
    return [sorted(range(len(allocations)), key=key) for key in keys]


def _repaired(order: Sequence[int], layout: _Layout, rng: random.Random) -> list[int]:
    """Return an order in which one that stands highest comes before some that stand in its way."""
    allocations, offsets = layout.allocations, layout.last
    top = height(allocations, offsets)
    highest = [i for i, each in enumerate(allocations) if offsets[i] + each.bytes == top]
    chosen = rng.choice(highest)
    place = {index: position for position, index in enumerate(order)}
    earlier = [place[i] for i in layout.beside[chosen] if place[i] < place[chosen]]
    repaired = [index for index in order if index != chosen]
    repaired.insert(rng.choice(earlier) if earlier else 0, chosen)
    if rng.random() < 0.5:
        one, other = rng.sample(range(len(order)), 2) if len(order) > 1 else (0, 0)
        repaired[one], repaired[other] = repaired[other], repaired[one]
    return repaired
