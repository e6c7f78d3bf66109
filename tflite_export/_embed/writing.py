"""From a bundle to a C++ project for TensorFlow Lite for Microcontrollers."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tfelastic_runtime import Bundle

from tflite_export._embed.flash import Placed, layout
from tflite_export._embed.sources import sources
from tflite_export.errors import PackError, VerificationError
from tflite_export.runtimes import LiteModel, measure_arena
from tflite_export.tflite import summarize

ARENA_MARGIN = 0.1
"""What is added to a measured arena: kernels tuned for a processor may want scratch memory of their own."""
ARENA_STEP = 256
SAMPLES = 8
"""Random samples on which a re-rooted variant must answer as the bundle's own."""


@dataclass(frozen=True)
class EmbeddedVariant:
    """One variant in the array.

    Attributes:
        name: Its name.
        in_place: Whether it runs where it lies in flash.
        flash_bytes: What it adds to the array.
        ram_bytes: RAM that its copy takes, besides the arena; 0 in place.
        arena_bytes: The smallest arena in which it ran, measured on this 64-bit machine.
        arena_with_margin_bytes: What the project gives it.
    """

    name: str
    in_place: bool
    flash_bytes: int
    ram_bytes: int
    arena_bytes: int
    arena_with_margin_bytes: int


@dataclass(frozen=True)
class EmbedReport:
    """What was written.

    Attributes:
        folder: The project.
        array_bytes: Flash that all variants take together.
        separate_bytes: What their files would take one by one.
        margin: The share added to each measured arena.
        operators: The union of the variants' operators.
        variants: Widest first.
        files: The project's files.
    """

    folder: str
    array_bytes: int
    separate_bytes: int
    margin: float
    operators: tuple[str, ...]
    variants: tuple[EmbeddedVariant, ...]
    files: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        head = f"{'variant':<24}{'runs':>10}{'flash':>12}{'copy in RAM':>13}{'arena':>12}{'+ margin':>12}"
        lines = [
            f"{self.folder}: an array of {self.array_bytes:,} bytes; the files one by one take "
            f"{self.separate_bytes:,}",
            head,
        ]
        lines += [
            f"{each.name:<24}{'in place' if each.in_place else 'copied':>10}{each.flash_bytes:>12,}"
            f"{each.ram_bytes:>13,}{each.arena_bytes:>12,}{each.arena_with_margin_bytes:>12,}"
            for each in self.variants
        ]
        lines.append(
            f"arenas were measured on this 64-bit machine; the margin is {self.margin:.0%}, rounded "
            f"up to {ARENA_STEP} bytes"
        )
        return "\n".join(lines)


def embed(
    bundle: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    in_place: tuple[str, ...] = (),
) -> EmbedReport:
    """Write a C++ project that holds a bundle's variants in one array.

    Args:
        bundle: The bundle.
        folder: The project; made if it does not exist. Files of the same names are replaced.
        in_place: Variants that are to run in place although their kernels are no others': they take
            their whole size in flash, and no RAM.

    Raises:
        BundleError: The bundle is damaged.
        PackError: A name in `in_place` is no variant's, or a variant cannot be embedded.
        DeviceError: TFLM cannot run a variant, or is not installed.
        VerificationError: A variant does not answer as the bundle's own.

    Example:
        >>> print(embed("model.elastic", "firmware/model"))  # doctest: +ELLIPSIS
        firmware/model: an array of ... bytes; the files one by one take ...
    """
    from tfelastic.files import write_atomically

    opened = Bundle.open(bundle)
    _check_interface(opened)
    flash = layout(opened, in_place=in_place)
    for placed in flash.placed:
        _verify(placed, opened)
    arenas = {
        placed.variant.name: measure_arena(placed.model).arena_bytes for placed in flash.placed
    }
    given = {name: _with_margin(arena) for name, arena in arenas.items()}
    operators = sorted({name for each in flash.placed for name in summarize(each.model).operators})
    texts = sources(flash, opened.manifest, arenas=given, operators=operators)
    for name, text in texts.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    return EmbedReport(
        folder=str(folder),
        array_bytes=len(flash.data),
        separate_bytes=sum(variant.bytes for variant in opened.variants),
        margin=ARENA_MARGIN,
        operators=tuple(operators),
        variants=tuple(
            EmbeddedVariant(
                name=placed.variant.name,
                in_place=placed.in_place,
                flash_bytes=placed.flash_bytes,
                ram_bytes=placed.ram_bytes,
                arena_bytes=arenas[placed.variant.name],
                arena_with_margin_bytes=given[placed.variant.name],
            )
            for placed in flash.placed
        ),
        files=tuple(sorted(texts)),
    )


def _check_interface(bundle: Bundle) -> None:
    """Check that a bundle has the one interface that the written project knows: an image in, classes out."""
    inputs, outputs = bundle.manifest.inputs, bundle.manifest.outputs
    kinds = [spec.kind for spec in inputs]
    if kinds != ["image"] or len(outputs) != 1 or len(outputs[0].shape) != 2:
        raise PackError(
            "embed writes projects of image classifiers: expected one image and one output of two axes, "
            f"received inputs {[(spec.name, spec.kind) for spec in inputs]} and outputs "
            f"{[(spec.name, list(spec.shape)) for spec in outputs]}"
        )


def _with_margin(arena_bytes: int) -> int:
    wanted = arena_bytes * (1 + ARENA_MARGIN)
    return int(-(-wanted // ARENA_STEP)) * ARENA_STEP


def _verify(placed: Placed, bundle: Bundle) -> None:
    """Compare a variant as it will run with the bundle's own, to the last bit."""
    rng, name = np.random.default_rng(0), placed.variant.name
    own, embedded = LiteModel(bundle.model(name)), LiteModel(placed.model)
    samples = [
        own.encode([rng.integers(0, 256, shape[1:]) for shape in own.input_shapes])
        for _ in range(SAMPLES)
    ]
    if not all(
        np.array_equal(left, right)
        for sample in samples
        for left, right in zip(embedded.run(sample), own.run(sample), strict=True)
    ):
        raise VerificationError(
            f"variant {name!r} answers otherwise without its names than the bundle's own on "
            f"{SAMPLES} random samples; please report it"
        )
