"""What a bundle says of itself: its input, its output, and one record per variant.

The records are read strictly: an unknown key or value belongs to a format version that this reader
does not know. `tflite_export/bundle/FORMAT.md` is the norm.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from typing import Any

from tfelastic_runtime.errors import BundleError, ProfileError
from tfelastic_runtime.latency import Profile
from tfelastic_runtime.schema import Schema

MANIFEST_FORMAT = 1
ALIGNMENT = 16
"""Variants start at multiples of this many bytes, as LiteRT wants its flatbuffers."""
INPUT_CONTRACT = {"layout": "NHWC", "dtype": "uint8", "range": [0, 255]}
INT8_INPUT = (1.0, -128)
"""Scale and zero point of every int8 input: a pixel minus 128."""
OUTPUT_KINDS = ("logits", "probabilities")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SCALE_MIN, _SCALE_MAX = 2.0**-126, 2.0**127
_BYTES_MAX = (1 << 31) - 1

_check = Schema(BundleError)


def padded(count: int) -> int:
    """Return the next multiple of the alignment."""
    return -(-count // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class TensorSpec:
    """How one variant's input or output is stored: `real = (stored - zero_point) * scale`.

    Attributes:
        dtype: `int8` or `float32`; the latter has scale 1 and zero point 0.
        scale: The step between neighbouring values, exactly representable in float32.
        zero_point: The stored value that means zero.
    """

    dtype: str
    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        if self.dtype not in ("int8", "float32"):
            raise BundleError(f"dtype: expected 'int8' or 'float32', received {self.dtype!r}")
        scale = _check.number(self.scale, "scale", low=_SCALE_MIN, high=_SCALE_MAX)
        object.__setattr__(self, "scale", scale)
        _check.integer(self.zero_point, "zero_point", low=-128, high=127)
        if self.dtype == "float32" and (self.scale, self.zero_point) != (1.0, 0):
            raise BundleError(
                "a float32 tensor has scale 1 and zero_point 0, "
                f"received scale={self.scale}, zero_point={self.zero_point}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {"dtype": self.dtype, "scale": self.scale, "zero_point": self.zero_point}

    @classmethod
    def from_json(cls, data: object, *, where: str = "tensor") -> TensorSpec:
        """Read what `to_json` wrote."""
        return cls(**_check.exactly(data, tuple(field.name for field in fields(cls)), where))


@dataclass(frozen=True)
class VariantInfo:
    """One variant of the bundle: what it is, what it costs, and where its .tflite lies.

    Attributes:
        name: Its name, unique in the bundle, fit to be a file name.
        width: The share of the widest variant's channels that it keeps, in (0, 1].
        params: Parameters.
        macs: Multiply-accumulate operations of one inference.
        accuracy: The share of correct answers on the exporter's test data, in 0 .. 1.
        scheme: The quantization scheme it was converted by, such as `int8`.
        offset: Where its .tflite starts, in bytes from the start of the payload.
        bytes: How long its .tflite is.
        sha256: The SHA-256 of its .tflite, in lower-case hexadecimal.
        input: How it takes pixels.
        output: How it gives its answer.
    """

    name: str
    width: float
    params: int
    macs: int
    accuracy: float
    scheme: str
    offset: int
    bytes: int
    sha256: str
    input: TensorSpec
    output: TensorSpec

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise BundleError(
                "name: expected 1 to 32 of a-z 0-9 . _ - that begin with a letter or digit, "
                f"received {self.name!r}"
            )
        object.__setattr__(self, "width", _check.number(self.width, "width", low=2.0**-20, high=1))
        object.__setattr__(
            self, "accuracy", _check.number(self.accuracy, "accuracy", low=0, high=1)
        )
        _check.integer(self.params, "params")
        _check.integer(self.macs, "macs")
        _check.text(self.scheme, "scheme", longest=32)
        _check.integer(self.offset, "offset")
        _check.integer(self.bytes, "bytes", low=1, high=_BYTES_MAX)
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256):
            raise BundleError(
                f"sha256: expected 64 lower-case hexadecimal digits, received {self.sha256!r}"
            )
        if self.input.dtype == "int8" and (self.input.scale, self.input.zero_point) != INT8_INPUT:
            raise BundleError(
                "input: an int8 variant takes pixel - 128, so scale 1 and zero_point -128, "
                f"received scale={self.input.scale}, zero_point={self.input.zero_point}"
            )

    @property
    def accuracy_ppm(self) -> int:
        """Correct answers per million, rounded half up: what the policy compares."""
        return math.floor(self.accuracy * 1e6 + 0.5)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**data, "input": self.input.to_json(), "output": self.output.to_json()}

    @classmethod
    def from_json(cls, data: object, *, where: str = "variant") -> VariantInfo:
        """Read what `to_json` wrote."""
        found = dict(_check.exactly(data, tuple(field.name for field in fields(cls)), where))
        try:
            for side in ("input", "output"):
                found[side] = TensorSpec.from_json(found[side], where=side)
            return cls(**found)
        except BundleError as cause:
            raise BundleError(f"{where}: {cause}") from cause


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
        variants: Widest first.
        profiles: Latency tables that travel with the bundle; none is used unless it is chosen.
    """

    name: str
    producer: str
    labels: tuple[str, ...] | None
    input_shape: tuple[int, int, int]
    classes: int
    output_kind: str
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
        offset = 0
        for variant in self.variants:
            if variant.offset != offset:
                raise BundleError(
                    f"variant {variant.name!r}: expected offset {offset}, right behind the "
                    f"variant before it, received {variant.offset}"
                )
            offset = padded(offset + variant.bytes)
        for profile in self.profiles:
            if set(profile.latencies) != set(names):
                raise BundleError(
                    f"profiles: expected latencies of {', '.join(names)}, "
                    f"received {', '.join(sorted(profile.latencies))}"
                )

    @property
    def payload_bytes(self) -> int:
        """How long the payload is, with its padding."""
        return padded(self.variants[-1].offset + self.variants[-1].bytes)

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as plain data, in the form that FORMAT.md gives."""
        return {
            "format": MANIFEST_FORMAT,
            "name": self.name,
            "producer": self.producer,
            "labels": None if self.labels is None else list(self.labels),
            "input": {"shape": [1, *self.input_shape], **INPUT_CONTRACT},
            "output": {"shape": [1, self.classes], "kind": self.output_kind},
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
        keys = ("format", "name", "producer", "labels", "input", "output", "variants", "profiles")
        found = _check.exactly(data, keys, "manifest")
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
            variants=tuple(
                VariantInfo.from_json(variant, where=f"variants[{index}]")
                for index, variant in enumerate(_check.array(found["variants"], "variants"))
            ),
            profiles=profiles,
        )


def _batch_of_one(data: object, rank: int, where: str) -> tuple[int, ...]:
    shape = _check.array(data, where)
    if len(shape) != rank + 1 or shape[0] != 1:
        raise BundleError(
            f"{where}: expected [1, ...] with {rank + 1} numbers, received {list(shape)}"
        )
    return shape[1:]
