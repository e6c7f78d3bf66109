"""From converted variants to the manifest that describes them, and to its canonical bytes.

The manifest's types live in `tfelastic_runtime`, which reads what is written here: the two
cannot drift apart.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from tfelastic_runtime import (
    BundleError,
    Manifest,
    Profile,
    Stored,
    VariantInfo,
    VariantPlan,
)

from tflite_export.bundle.deduplication import Payload, deduplicate
from tflite_export.bundle.interface import Interface, read_tensors, tensor_specs
from tflite_export.errors import PackError


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One converted rung, ready to be packed.

    Attributes:
        name: Its name, unique in the bundle: 1 to 32 of `a-z 0-9 . _ -`.
        width: The share of the widest variant's channels that it keeps, in (0, 1].
        params: Parameters.
        macs: Multiply-accumulate operations of one inference.
        score: The interface's metric, measured on this very .tflite; it decides between variants.
        scheme: The quantization scheme it was converted by.
        tflite: The converted file.
        plan: What of the network it keeps, if that is to be stated.
        peak_bytes: Predicted bytes of activations alive at once, if known.
        arena_bytes: Measured bytes of a microcontroller's arena, if known.
        metrics: Further metrics by name, such as `keras_accuracy`.
        input_names: The interface's names of the file's inputs, in the file's order; without them
            they are matched by the file's own names, else by their shapes.
        output_names: The same of the outputs.
    """

    name: str
    width: float
    params: int
    macs: int
    score: float
    scheme: str
    tflite: bytes = field(repr=False)
    plan: VariantPlan | None = None
    peak_bytes: int | None = None
    arena_bytes: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    input_names: tuple[str, ...] | None = None
    output_names: tuple[str, ...] | None = None


def describe(
    variants: Sequence[Variant],
    *,
    name: str,
    interface: Interface | None = None,
    labels: Sequence[str] | None = None,
    profiles: Sequence[Profile] = (),
) -> tuple[Manifest, Payload]:
    """Return the manifest of a bundle of these variants, and its payload.

    Quantization is read from the .tflite files themselves, and their shapes are compared.

    Args:
        variants: Widest first.
        name: The network's name.
        interface: The network's inputs, outputs and score; by default those of an image classifier,
            from the first file.
        labels: One text per class, where no interface has them.
        profiles: Latency tables that travel with the bundle.

    Raises:
        PackError: The variants do not make one bundle; the message names the variant.
    """
    if not variants:
        raise PackError("expected at least one variant, received none")
    if interface is not None and labels is not None:
        raise PackError("give labels= or interface=, whose outputs have labels of their own")
    try:
        interface = interface or _default_interface(variants[0], labels)
        tensors = [_tensors(variant, interface) for variant in variants]
        payload = deduplicate([variant.tflite for variant in variants])
        manifest = Manifest(
            name=name,
            producer=f"tfelastic {importlib.metadata.version('tfelastic')}",
            inputs=interface.inputs,
            outputs=interface.outputs,
            score=interface.score,
            payload_bytes=len(payload.data),
            variants=tuple(map(_info, variants, payload.stored, tensors)),
            # Statistics that no device reads, and the classes that carry them, stay behind.
            profiles=tuple(Profile.from_json(profile.to_json()) for profile in profiles),
        )
    except BundleError as cause:
        raise PackError(str(cause)) from cause
    return manifest, payload


def canonical(manifest: Manifest) -> bytes:
    """Return the manifest's one form in bytes: sorted keys, no spaces, UTF-8."""
    text = json.dumps(
        manifest.to_json(),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    return text.encode()


def _info(variant: Variant, stored: Stored, tensors: dict[str, Any]) -> VariantInfo:
    same = {field.name: getattr(variant, field.name) for field in fields(variant)}
    for apart in ("tflite", "input_names", "output_names"):
        del same[apart]
    try:
        return VariantInfo(
            **same,
            **tensors,
            bytes=len(variant.tflite),
            sha256=hashlib.sha256(variant.tflite).hexdigest(),
            stored=stored,
        )
    except BundleError as cause:
        raise PackError(f"variant {variant.name!r}: {cause}") from cause


def _default_interface(variant: Variant, labels: Sequence[str] | None) -> Interface:
    try:
        return Interface.of_tflite(variant.tflite, labels=labels)
    except PackError as cause:
        raise PackError(f"variant {variant.name!r}: {cause}") from cause


def _tensors(variant: Variant, interface: Interface) -> dict[str, Any]:
    try:
        file = read_tensors(variant.tflite)
        return {
            "inputs": tensor_specs(file.inputs, interface.inputs, variant.input_names, "input"),
            "outputs": tensor_specs(
                file.outputs, interface.outputs, variant.output_names, "output"
            ),
        }
    except PackError as cause:
        raise PackError(f"variant {variant.name!r}: {cause}") from cause
