"""RAM: what each variant takes, and the buffers that are large enough for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tflite_export._embed.flash import Placed
from tflite_export.arena import ArenaEstimate

ARENA_STEP = 16


@dataclass(frozen=True)
class VariantMemory:
    """RAM of one variant.

    Attributes:
        arena: What its arena takes on a board, and here.
        copy_bytes: What its copy takes besides, padded to 16; 0 where it runs in place.
    """

    arena: ArenaEstimate
    copy_bytes: int

    @classmethod
    def of(cls, placed: Placed, arena: ArenaEstimate) -> VariantMemory:
        """Take a variant's arena, and the copy that its place in flash asks for."""
        return cls(arena, padded(placed.ram_bytes))

    @property
    def host_bytes(self) -> int:
        """What arena and copy take with 64-bit pointers and reference kernels."""
        return with_margin(self.arena.measured_bytes, self.arena.margin) + self.copy_bytes


@dataclass(frozen=True)
class Buffers:
    """The firmware's buffers.

    Attributes:
        pool_bytes: One buffer for copy and arena: the largest sum of one variant.
        arena_bytes: The largest arena, where copies have a buffer of their own.
        copy_bytes: The largest copy.
        resident_bytes: One arena that holds all variants at once; None where one of them is copied.
        host_bytes: The one buffer on a machine with 64-bit pointers, for one variant at a time.
        host_resident_bytes: The same for all variants at once.
    """

    pool_bytes: int
    arena_bytes: int
    copy_bytes: int
    resident_bytes: int | None
    host_bytes: int
    host_resident_bytes: int

    @classmethod
    def of(cls, variants: Sequence[VariantMemory]) -> Buffers:
        """Take the largest needs.

        Residents share one area for activations; each has its own tables behind it.
        """
        margin = variants[0].arena.margin
        resident = max(
            max(each.arena.activation_bytes, each.arena.preparation_bytes) for each in variants
        ) + sum(padded(each.arena.persistent_bytes) for each in variants)
        copies = [each.copy_bytes for each in variants]
        return cls(
            pool_bytes=max(each.arena.with_margin_bytes + each.copy_bytes for each in variants),
            arena_bytes=max(each.arena.with_margin_bytes for each in variants),
            copy_bytes=max(copies),
            resident_bytes=None if any(copies) else with_margin(resident, margin),
            host_bytes=max(each.host_bytes for each in variants),
            host_resident_bytes=sum(each.host_bytes for each in variants),
        )


def with_margin(arena_bytes: int, margin: float) -> int:
    """Add a margin to an arena and round it up."""
    return padded(int(-(-arena_bytes * (1 + margin) // 1)))


def padded(count: int) -> int:
    """Round up to the alignment of a .tflite and of an arena."""
    return -(-count // ARENA_STEP) * ARENA_STEP
