"""RAM: what each variant takes, and the buffers that are large enough for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tflite_export._embed.flash import Placed
from tflite_export.runtimes import ArenaReport

ARENA_MARGIN = 0.1
"""What is added to a measured arena: kernels tuned for a processor may want scratch memory of their own."""
MARGIN_MAX = 10
ARENA_STEP = 256
ALIGNMENT = 16


@dataclass(frozen=True)
class VariantMemory:
    """RAM of one variant.

    Attributes:
        arena: The smallest arena in which it ran, measured.
        arena_bytes: What the project gives it, margin included.
        copy_bytes: What its copy takes besides, padded to 16; 0 where it runs in place.
    """

    arena: ArenaReport
    arena_bytes: int
    copy_bytes: int

    @classmethod
    def of(cls, placed: Placed, arena: ArenaReport, *, margin: float) -> VariantMemory:
        """Add the margin to a measured arena."""
        return cls(arena, with_margin(arena.arena_bytes, margin), padded(placed.ram_bytes))


@dataclass(frozen=True)
class Buffers:
    """The firmware's buffers for one variant at a time.

    Attributes:
        pool_bytes: One buffer for copy and arena: the largest sum of one variant.
        arena_bytes: The largest arena, where copies have a buffer of their own.
        copy_bytes: The largest copy.
        resident_bytes: One arena that holds all variants at once; None where one of them is copied.
    """

    pool_bytes: int
    arena_bytes: int
    copy_bytes: int
    resident_bytes: int | None

    @classmethod
    def of(cls, variants: Sequence[VariantMemory], *, margin: float) -> Buffers:
        """Take the largest needs.

        Residents share one area for activations; each has its own tables behind it.
        """
        copies = [each.copy_bytes for each in variants]
        resident = max(each.arena.activation_bytes for each in variants) + sum(
            padded(each.arena.persistent_bytes) for each in variants
        )
        return cls(
            pool_bytes=max(each.arena_bytes + each.copy_bytes for each in variants),
            arena_bytes=max(each.arena_bytes for each in variants),
            copy_bytes=max(copies),
            resident_bytes=None if any(copies) else with_margin(resident, margin),
        )


def with_margin(arena_bytes: int, margin: float) -> int:
    """Add a margin to an arena and round it up."""
    return int(-(-arena_bytes * (1 + margin) // ARENA_STEP)) * ARENA_STEP


def padded(count: int) -> int:
    """Round up to the alignment of a .tflite and of an arena."""
    return -(-count // ALIGNMENT) * ALIGNMENT
