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
    TensorSpec,
    VariantInfo,
    VariantPlan,
)

from tflite_export.bundle.deduplication import Payload, deduplicate
from tflite_export.errors import PackError
from tflite_export.stderr import capture_stderr


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One converted rung, ready to be packed.

    Attributes:
        name: Its name, unique in the bundle: 1 to 32 of `a-z 0-9 . _ -`.
        width: The share of the widest variant's channels that it keeps, in (0, 1].
        params: Parameters.
        macs: Multiply-accumulate operations of one inference.
        accuracy: The share of correct answers of this very .tflite on the test data, in 0 .. 1.
        scheme: The quantization scheme it was converted by.
        tflite: The converted file.
        plan: What of the network it keeps, if that is to be told.
        peak_bytes: Predicted bytes of activations alive at once, if known.
        arena_bytes: Measured bytes of a microcontroller's arena, if known.
        accuracies: Further accuracies by what was measured, such as `keras`.
    """

    name: str
    width: float
    params: int
    macs: int
    accuracy: float
    scheme: str
    tflite: bytes = field(repr=False)
    plan: VariantPlan | None = None
    peak_bytes: int | None = None
    arena_bytes: int | None = None
    accuracies: Mapping[str, float] = field(default_factory=dict)


def describe(
    variants: Sequence[Variant],
    *,
    name: str,
    labels: Sequence[str] | None = None,
    output_kind: str = "logits",
    profiles: Sequence[Profile] = (),
) -> tuple[Manifest, Payload]:
    """Return the manifest of a bundle of these variants, and its payload.

    Shapes and quantization are read from the .tflite files themselves, not believed.

    Args:
        variants: Widest first.
        name: The network's name.
        labels: One text per class.
        output_kind: `logits` or `probabilities`.
        profiles: Latency tables that travel with the bundle.

    Raises:
        PackError: The variants do not make one bundle; the message names the variant.
    """
    if not variants:
        raise PackError("expected at least one variant, received none")
    specs = [_specs(variant) for variant in variants]
    input_shape, output_shape = _shapes(variants, specs)
    payload = deduplicate([variant.tflite for variant in variants])
    try:
        manifest = Manifest(
            name=name,
            producer=f"tfelastic {importlib.metadata.version('tfelastic')}",
            labels=None if labels is None else tuple(labels),
            input_shape=input_shape,
            classes=output_shape[0],
            output_kind=output_kind,
            payload_bytes=len(payload.data),
            variants=tuple(map(_info, variants, payload.stored, specs)),
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


def _info(variant: Variant, stored: Stored, specs: dict[str, Any]) -> VariantInfo:
    same = {field.name: getattr(variant, field.name) for field in fields(variant)}
    del same["tflite"]
    try:
        return VariantInfo(
            **same,
            bytes=len(variant.tflite),
            sha256=hashlib.sha256(variant.tflite).hexdigest(),
            stored=stored,
            input=TensorSpec(*specs["input"]),
            output=TensorSpec(*specs["output"]),
        )
    except BundleError as cause:
        raise PackError(f"variant {variant.name!r}: {cause}") from cause


def _shapes(
    variants: Sequence[Variant], specs: Sequence[dict[str, Any]]
) -> tuple[tuple[int, int, int], tuple[int]]:
    """Return the shapes, without the batch, that all variants take and give."""
    widest, *others = ((spec["input_shape"], spec["output_shape"]) for spec in specs)
    for variant, found in zip(variants[1:], others, strict=True):
        if found != widest:
            raise PackError(
                f"variant {variant.name!r} maps {found[0]} to {found[1]}, variant "
                f"{variants[0].name!r} maps {widest[0]} to {widest[1]}: one bundle holds variants "
                "of one network"
            )
    return widest


def _specs(variant: Variant) -> dict[str, Any]:
    """Read shapes, dtypes and quantization out of a .tflite."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        with capture_stderr():
            interpreter = Interpreter(model_content=variant.tflite)
        sides = {
            "input": interpreter.get_input_details(),
            "output": interpreter.get_output_details(),
        }
    except (ValueError, RuntimeError, TypeError) as cause:
        raise PackError(f"variant {variant.name!r}: LiteRT cannot read it: {cause}") from cause
    specs: dict[str, Any] = {}
    for (side, found), rank in zip(sides.items(), (4, 2), strict=True):
        shape = tuple(int(size) for size in found[0]["shape"])
        if len(found) != 1 or len(shape) != rank or shape[0] != 1:
            raise PackError(
                f"variant {variant.name!r}: expected one {side} with {rank} axes and a batch of 1, "
                f"received {[list(map(int, tensor['shape'])) for tensor in found]}"
            )
        scale, zero_point = found[0]["quantization"]
        specs[f"{side}_shape"] = shape[1:]
        # LiteRT tells scale 0 for a tensor that is not quantized.
        specs[side] = (found[0]["dtype"].__name__, float(scale) or 1.0, int(zero_point))
    return specs
