"""The layout for flash memory: one array that holds every variant of a bundle.

Variants whose kernels are whole tensors of wider ones, as those that lack blocks, run in place from
the array (`tflite/roots.py`). The kernels of narrower ones lie scattered in the wider ones': such a variant
is stored as a delta, and a device copies it into RAM before it runs.

Before that each variant's memory is planned for the board's library of kernels, whose scratch buffers lie in the
arena too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfelastic_runtime import Bundle, VariantInfo

from tflite_export.arena import with_arena_plan
from tflite_export.bundle.deduplication import Payload, deduplicate
from tflite_export.errors import PackError
from tflite_export.tflite import Roots, buffers, read_memory_plan, with_roots

INDICES = ("int32", "int64")
"""Types of shapes, axes and biases, which are no kernels."""


@dataclass(frozen=True)
class Placed:
    """Where a variant lies in the array.

    Attributes:
        variant: The bundle's record of it.
        in_place: Whether it runs where it lies.
        offset: Where it begins, or the delta that writes it.
        stored_bytes: How long that is; the in-place ones overlap.
        flash_bytes: What it adds to the array behind the variants before it.
        model: Its .tflite as it will be run: without names and with the plan of its arena, else the bundle's own.
    """

    variant: VariantInfo
    in_place: bool
    offset: int
    stored_bytes: int
    flash_bytes: int
    model: bytes

    @property
    def ram_bytes(self) -> int:
        """RAM that a copy of it takes, besides the interpreter's arena."""
        return 0 if self.in_place else len(self.model)


@dataclass(frozen=True)
class Flash:
    """The array and where each variant lies in it, widest first."""

    data: bytes
    placed: tuple[Placed, ...]


def layout(bundle: Bundle, *, kernels: str = "reference", in_place: Sequence[str] = ()) -> Flash:
    """Lay out a bundle's variants, each with a plan of its arena for the board's kernels.

    Args:
        bundle: What to embed.
        kernels: The library of kernels on the board, as `plan_arena` takes it.
        in_place: Variants that are to run in place although their kernels are no others': they take
            their whole size in flash, and no RAM.

    Raises:
        PackError: A name in `in_place` is no variant's, or a file cannot be laid out.
        SchemeError: There is no such library of kernels.
        BundleError: A variant is damaged.
    """
    models = {
        variant.name: _planned(bundle.model(variant.name), kernels) for variant in bundle.variants
    }
    if unknown := sorted(set(in_place) - set(models)):
        raise PackError(
            f"the bundle has no variant {', '.join(map(repr, unknown))}; it has {', '.join(models)}"
        )
    rooted = _rooted(models, frozenset(in_place))
    roots = with_roots([models[name] for name in rooted])
    stripped = {
        name: with_roots([model]).data for name, model in models.items() if name not in rooted
    }
    payload = deduplicate([roots.data, *stripped.values()])
    variants = {variant.name: variant for variant in bundle.variants}
    placed = {
        **_in_roots([variants[name] for name in rooted], models, roots),
        **_behind([variants[name] for name in stripped], stripped, payload),
    }
    return Flash(payload.data, tuple(placed[name] for name in variants))


def _planned(model: bytes, kernels: str) -> bytes:
    """Return a variant with a plan of its arena for a library of kernels."""
    if kernels == "reference" and read_memory_plan(model) is None:
        # It was exported without a plan, as for kernels that may not write in place, or none is smaller than TFLM's.
        return model
    return with_arena_plan(model, kernels=kernels)


def _in_roots(
    variants: Sequence[VariantInfo], models: Mapping[str, bytes], roots: Roots
) -> dict[str, Placed]:
    """Place the variants that share one pool of constants."""
    placed: dict[str, Placed] = {}
    before = 0
    for index, variant in enumerate(variants):
        # What a variant adds is its tables, and the constants that those before it lack.
        size = len(with_roots([models[each.name] for each in variants[: index + 1]]).data)
        model = roots.model(index)
        where = (roots.offsets[index], len(model), size - before)
        placed[variant.name] = Placed(variant, True, *where, model)
        before = size
    return placed


def _behind(
    variants: Sequence[VariantInfo], models: Mapping[str, bytes], payload: Payload
) -> dict[str, Placed]:
    """Place the variants that are stored behind the roots: as deltas, or whole where none saves."""
    placed: dict[str, Placed] = {}
    before = payload.stored[0].bytes
    for variant, stored in zip(variants, payload.stored[1:], strict=True):
        end = stored.offset + stored.bytes
        where = (stored.offset, stored.bytes, end - before)
        placed[variant.name] = Placed(variant, stored.whole, *where, models[variant.name])
        before = end
    return placed


def _rooted(models: dict[str, bytes], chosen: frozenset[str]) -> list[str]:
    """Return the variants that share one pool of constants: the widest, and whose kernels are in it."""
    found: list[str] = []
    pool: set[bytes] = set()
    for name, model in models.items():
        if not found or name in chosen or _kernels(model) <= pool:
            found.append(name)
            pool |= _kernels(model)
    return found


def _kernels(model: bytes) -> set[bytes]:
    return {
        model[buffer.offset :][: buffer.bytes]
        for buffer in buffers(model)
        if len(buffer.shape) > 1 and buffer.dtype not in INDICES
    }
