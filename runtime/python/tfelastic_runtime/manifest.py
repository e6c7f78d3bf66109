"""What a bundle says of itself: its input, its output, and one record per variant.

The records are read strictly: an unknown key or value belongs to a format version that this reader
does not know. `tflite_export/bundle/FORMAT.md` is the norm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfelastic_runtime.errors import BundleError, ProfileError
from tfelastic_runtime.latency import Profile
from tfelastic_runtime.schema import Schema
from tfelastic_runtime.variant import ALIGNMENT, PAYLOAD_MAX, VariantInfo

MANIFEST_FORMAT = 2
INPUT_CONTRACT = {"layout": "NHWC", "dtype": "uint8", "range": [0, 255]}
OUTPUT_KINDS = ("logits", "probabilities")

_KEYS = (
    *("format", "name", "producer", "labels", "input", "output"),
    *("payload_bytes", "variants", "profiles"),
)

_check = Schema(BundleError)


def padded(count: int) -> int:
    """Return the next multiple of the alignment."""
    return -(-count // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class Manifest:
    """The bundle's table of contents.

    Attributes:
        name: The network's name.
        producer: The program that wrote the bundle, with its version.
        labels: One text per class, or None.
        input_shape: `[height, width, channels]` of the uint8 image.
        classes: How many numbers an answer has.
        output_kind: `logits` or `probabilities`.
        payload_bytes: How long the payload is.
        variants: Widest first.
        profiles: Latency tables that travel with the bundle; none is used unless it is chosen.
    """

    name: str
    producer: str
    labels: tuple[str, ...] | None
    input_shape: tuple[int, int, int]
    classes: int
    output_kind: str
    payload_bytes: int
    variants: tuple[VariantInfo, ...]
    profiles: tuple[Profile, ...] = ()

    def __post_init__(self) -> None:
        _check.text(self.name, "name")
        _check.text(self.producer, "producer")
        if len(self.input_shape) != 3:
            raise BundleError(
                f"input shape: expected [height, width, channels], received {self.input_shape}"
            )
        for size in (*self.input_shape, self.classes):
            _check.integer(size, "shape", low=1, high=65535)
        if self.labels is not None:
            for label in self.labels:
                _check.text(label, "labels")
            if len(self.labels) != self.classes:
                raise BundleError(
                    f"labels: expected one per class, {self.classes}, received {len(self.labels)}"
                )
        if self.output_kind not in OUTPUT_KINDS:
            raise BundleError(
                f"output kind: expected one of {', '.join(OUTPUT_KINDS)}, "
                f"received {self.output_kind!r}"
            )
        _check.integer(self.payload_bytes, "payload_bytes", low=1, high=PAYLOAD_MAX)
        self._check_variants()

    def _check_variants(self) -> None:
        if not self.variants:
            raise BundleError("variants: expected at least one")
        names = [variant.name for variant in self.variants]
        if len(set(names)) != len(names):
            raise BundleError(f"variants: names must be unique, received {', '.join(names)}")
        widths = [variant.width for variant in self.variants]
        if widths != sorted(widths, reverse=True):
            raise BundleError(f"variants: expected widest first, received widths {widths}")
        for variant in self.variants:
            stored = variant.stored
            if max(variant.bytes, stored.offset + stored.bytes) > self.payload_bytes:
                raise BundleError(
                    f"variant {variant.name!r}: neither it, {variant.bytes} bytes, nor what is "
                    f"stored of it, {stored.bytes} bytes from {stored.offset}, may go beyond the "
                    f"payload's {self.payload_bytes} bytes"
                )
        for profile in self.profiles:
            if set(profile.latencies) != set(names):
                raise BundleError(
                    f"profiles: expected latencies of {', '.join(names)}, "
                    f"received {', '.join(sorted(profile.latencies))}"
                )

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as plain data, in the form that FORMAT.md gives."""
        return {
            "format": MANIFEST_FORMAT,
            "name": self.name,
            "producer": self.producer,
            "labels": None if self.labels is None else list(self.labels),
            "input": {"shape": [1, *self.input_shape], **INPUT_CONTRACT},
            "output": {"shape": [1, self.classes], "kind": self.output_kind},
            "payload_bytes": self.payload_bytes,
            "variants": [variant.to_json() for variant in self.variants],
            "profiles": [profile.to_json() for profile in self.profiles],
        }

    @classmethod
    def from_json(cls, data: object) -> Manifest:
        """Read what `to_json` wrote.

        Raises:
            BundleError: The data are malformed, or of another manifest format.
        """
        version = _check.integer(
            _check.fields(data, ("format",), "manifest")["format"], "format", low=1
        )
        if version != MANIFEST_FORMAT:
            raise BundleError(
                f"the manifest is of format {version}, this reader knows format {MANIFEST_FORMAT}: "
                "update tfelastic_runtime, or export the bundle again"
            )
        found = _check.exactly(data, _KEYS, "manifest")
        taken = _check.exactly(found["input"], ("shape", *INPUT_CONTRACT), "input")
        _check.constants(taken, INPUT_CONTRACT, "input")
        given = _check.exactly(found["output"], ("shape", "kind"), "output")
        labels = found["labels"]
        try:
            profiles = tuple(
                Profile.from_json(profile)
                for profile in _check.array(found["profiles"], "profiles")
            )
        except ProfileError as cause:
            raise BundleError(f"profiles: {cause}") from cause
        height, width, channels = _batch_of_one(taken["shape"], 3, "input.shape")
        (classes,) = _batch_of_one(given["shape"], 1, "output.shape")
        return cls(
            name=found["name"],
            producer=found["producer"],
            labels=None if labels is None else _check.array(labels, "labels"),
            input_shape=(height, width, channels),
            classes=classes,
            output_kind=given["kind"],
            payload_bytes=found["payload_bytes"],
            variants=tuple(
                VariantInfo.from_json(variant, where=f"variants[{index}]")
                for index, variant in enumerate(_check.array(found["variants"], "variants"))
            ),
            profiles=profiles,
        )


def _batch_of_one(data: object, rank: int, where: str) -> tuple[int, ...]:
    shape = _check.array(data, where)
    if len(shape) != rank + 1:
        raise BundleError(
            f"{where}: expected [1, ...] with {rank + 1} numbers, received {list(shape)}"
        )
    _check.integer(shape[0], f"{where}[0]", low=1, high=1)
    return shape[1:]
