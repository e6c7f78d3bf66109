"""From a bundle to a C++ project for TensorFlow Lite for Microcontrollers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tfelastic_runtime import Bundle, Profile, ProfileError

from tflite_export._embed.flash import Flash, Placed
from tflite_export._embed.flash import layout as lay_out
from tflite_export._embed.folder import check_unchanged, replace_folder, write_starters
from tflite_export._embed.identifiers import DEFAULT_NAME, check_name
from tflite_export._embed.layouts import get_layout
from tflite_export._embed.memory import Buffers, VariantMemory
from tflite_export._embed.operators import check_dense, registrations
from tflite_export._embed.placement import Placement
from tflite_export._embed.report import EmbeddedVariant, EmbedReport
from tflite_export._embed.sources import Firmware, generated, placeholders
from tflite_export.arena import ArenaEstimate, estimate_arena
from tflite_export.errors import DeviceError, PackError, VerificationError
from tflite_export.runtimes import LiteModel

SAMPLES = 8
"""Random samples on which a re-rooted variant must answer as the bundle's own."""


def embed(
    bundle: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    placement: Placement | None = None,
    *,
    name: str = DEFAULT_NAME,
    layout: str = "make",
    profile: str | os.PathLike[str] | None = None,
    force: bool = False,
    **changes: Any,
) -> EmbedReport:
    """Write a C++ project whose selector runs a bundle's variants from one array.

    Args:
        bundle: The bundle.
        folder: The project; made if it does not exist. Its example and build files are written where there
            are none yet; the network's own folder within is written anew as a whole.
        placement: What lies in flash and in RAM, and the board's kernels; `Placement()` unless given.
        name: The network's: a namespace, files and macros, so that several fit into one program.
        layout: The build system: `"make"`, `"cmake"`, `"esp-idf"`, `"zephyr"` or `"arduino"`.
        profile: A measured table of the board that the firmware is for; without one, it measures at first start.
        force: Whether to overwrite files that the user has changed, the example and the build files too.
        **changes: Fields of `Placement`, instead of or on top of those given.

    Raises:
        BundleError: The bundle is damaged.
        SchemeError: There is no such library of kernels.
        ProfileError: The margin or the profile is malformed.
        PackError: A name, a layout or a profile does not fit, a variant cannot be embedded, or the user has changed a
            generated file.
        DeviceError: TFLM cannot run a variant, or is not installed.
        VerificationError: A variant does not answer as the bundle's own.

    Examples:
        >>> print(embed("model.elastic", "firmware"))  # doctest: +ELLIPSIS
        firmware: an array of ... bytes; the files one by one take ...
    """
    placement = replace(placement or Placement(), **changes)
    project, plan = Path(folder), get_layout(layout)
    network = project / plan.folder.format(name=check_name(name))
    if not force:
        check_unchanged(network)
    opened = Bundle.open(bundle)
    table = None if profile is None else _table(profile, opened)
    flash = _flash(opened, placement)
    models = {placed.variant.name: placed.model for placed in flash.placed}
    check_dense(models, kernels=placement.kernels)
    registered = registrations(models, int8_kernels=placement.int8_kernels)
    memory = {
        placed.variant.name: VariantMemory.of(placed, _arena(placed, placement))
        for placed in flash.placed
    }
    buffers = Buffers.of(list(memory.values()))
    firmware = Firmware(
        name=name,
        flash=flash,
        manifest=opened.manifest,
        bundle_sha256=opened.payload_sha256,
        arenas={each: found.arena.with_margin_bytes for each, found in memory.items()},
        buffers=buffers,
        registrations=registered,
        resident=placement.resident,
        profile=table,
        kernels=placement.kernels,
    )
    values = placeholders(firmware)
    files = plan.network_files(generated(firmware, suffix=plan.suffix), values)
    starters = plan.starter_files(values)
    replace_folder(network, files)
    written = write_starters(project, starters, force=force)
    within = network.relative_to(project).as_posix()
    return EmbedReport(
        folder=str(folder),
        name=name,
        layout=layout,
        array_bytes=len(flash.data),
        separate_bytes=sum(variant.bytes for variant in opened.variants),
        margin=placement.margin,
        kernels=placement.kernels,
        buffers=buffers,
        resident=placement.resident,
        operators=tuple(each.operator for each in registered),
        int8_kernels=tuple(each.operator for each in registered if each.int8_header),
        measured_on=None if table is None else str(table.device["name"]),
        variants=tuple(_embedded(placed, memory) for placed in flash.placed),
        files=tuple(sorted((*(f"{within}/{path}" for path in files), *starters))),
        kept=tuple(path for path in starters if path not in written),
    )


def _embedded(placed: Placed, memory: Mapping[str, VariantMemory]) -> EmbeddedVariant:
    found = memory[placed.variant.name]
    return EmbeddedVariant(
        name=placed.variant.name,
        in_place=placed.in_place,
        flash_bytes=placed.flash_bytes,
        ram_bytes=placed.ram_bytes,
        arena_bytes=found.arena.arena_bytes,
        scratch_bytes=found.arena.scratch_bytes,
        arena_with_margin_bytes=found.arena.with_margin_bytes,
    )


def _flash(bundle: Bundle, placement: Placement) -> Flash:
    """Lay out the variants; each must answer as the bundle's own, and residents must run in place."""
    flash = lay_out(bundle, kernels=placement.kernels, in_place=placement.in_place)
    copied = [placed.variant.name for placed in flash.placed if not placed.in_place]
    if placement.resident and copied:
        raise PackError(
            f"resident variants run in place, and {', '.join(map(repr, copied))} would be copied into RAM: "
            f"add {' '.join(f'--in-place {name}' for name in copied)}, or leave residents out"
        )
    for placed in flash.placed:
        _verify(placed, bundle)
    return flash


def _table(path: str | os.PathLike[str], bundle: Bundle) -> Profile:
    """Read a measured table and check that it is of these variants."""
    table = Profile.load(path)
    try:
        bundle.check_profile(table)
    except ProfileError as cause:
        raise PackError(f"{os.fspath(path)}: {cause}; or leave the profile out") from cause
    return table


def _arena(placed: Placed, placement: Placement) -> ArenaEstimate:
    try:
        return estimate_arena(placed.model, kernels=placement.kernels, margin=placement.margin)
    except DeviceError as error:
        raise DeviceError(
            f"variant {placed.variant.name!r}: {' '.join(str(error).split())}; `tfelastic export --target tflm` "
            "has TFLM run each variant before it is packed"
        ) from error


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
