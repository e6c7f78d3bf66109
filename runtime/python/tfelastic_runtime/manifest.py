"""What a bundle says of itself: its inputs, its outputs, and one record per variant.

The records are read strictly: an unknown key or value belongs to a format version that this reader
does not know. `tflite_export/bundle/FORMAT.md` is the norm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from tfelastic_runtime.errors import BundleError, ProfileError
from tfelastic_runtime.interface import InputSpec, OutputSpec, check_unique
from tfelastic_runtime.latency import Profile
from tfelastic_runtime.limits import TENSORS_MAX, VARIANTS_MAX
from tfelastic_runtime.schema import Schema
from tfelastic_runtime.score import SCORE_MAX, ScoreSpec
from tfelastic_runtime.variant import ALIGNMENT, PAYLOAD_MAX, VariantInfo

MANIFEST_FORMAT = 3
_KEYS = (
    *("format", "name", "producer", "inputs", "outputs"),
    *("score", "payload_bytes", "variants", "profiles"),
)

_check = Schema(BundleError)
_Record = TypeVar("_Record", InputSpec, OutputSpec, VariantInfo)


def padded(count: int) -> int:
    """Return the next multiple of the alignment."""
    return -(-count // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class Manifest:
    """The bundle's table of contents.

    Attributes:
        name: The network's name.
        producer: The program that wrote the bundle, with its version.
        inputs: What the network takes, in the order in which each variant lists its tensors.
        outputs: What it gives, likewise.
        score: What the variants' scores measure.
        payload_bytes: How long the payload is.
        variants: Widest first.
        profiles: Latency tables that travel with the bundle; none is used unless it is chosen.
    """

    name: str
    producer: str
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    score: ScoreSpec
    payload_bytes: int
    variants: tuple[VariantInfo, ...]
    profiles: tuple[Profile, ...] = ()

    def __post_init__(self) -> None:
        _check.text(self.name, "name")
        _check.text(self.producer, "producer")
        check_unique(self.inputs, "inputs")
        check_unique(self.outputs, "outputs")
        _check.integer(self.payload_bytes, "payload_bytes", low=1, high=PAYLOAD_MAX)
        self._check_variants()
        for profile in self.profiles:
            self._check_profile(profile)

    @cached_property
    def classifier(self) -> OutputSpec | None:
        """The one output that is a classifier's and has labels; None where none or several are."""
        found = [spec for spec in self.outputs if spec.is_classifier and spec.labels is not None]
        return found[0] if len(found) == 1 else None

    def _check_variants(self) -> None:
        if not 1 <= len(self.variants) <= VARIANTS_MAX:
            raise BundleError(
                f"variants: expected 1 to {VARIANTS_MAX}, received {len(self.variants)}"
            )
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
            for side in ("inputs", "outputs"):
                expected, found = len(getattr(self, side)), len(getattr(variant, side))
                if found != expected:
                    raise BundleError(
                        f"variant {variant.name!r}: {side}: expected one record for each of the "
                        f"network's {expected}, received {found}"
                    )

    def _check_profile(self, profile: Profile) -> None:
        names = [variant.name for variant in self.variants]
        if set(profile.latencies) != set(names):
            received = ", ".join(map(repr, sorted(profile.latencies)))
            raise BundleError(
                f"profiles: expected latencies of {', '.join(names)}, received {received}"
            )
        for key, value in profile.device.items():
            _check.text(key, "profiles: device")
            if isinstance(value, str):
                _check.text(value, f"profiles: device[{key!r}]")
            elif not isinstance(value, bool):
                _check.number(value, f"profiles: device[{key!r}]", low=-SCORE_MAX, high=SCORE_MAX)

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as plain data, in the form that FORMAT.md gives."""
        return {
            "format": MANIFEST_FORMAT,
            "name": self.name,
            "producer": self.producer,
            "inputs": [spec.to_json() for spec in self.inputs],
            "outputs": [spec.to_json() for spec in self.outputs],
            "score": self.score.to_json(),
            "payload_bytes": self.payload_bytes,
            "variants": [variant.to_json() for variant in self.variants],
            "profiles": [_within(profile) for profile in self.profiles],
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
        try:
            profiles = tuple(
                Profile.from_json(profile)
                for profile in _check.array(found["profiles"], "profiles")
            )
        except ProfileError as cause:
            raise BundleError(f"profiles: {cause}") from cause
        return cls(
            name=found["name"],
            producer=found["producer"],
            inputs=_each(found["inputs"], InputSpec, "inputs"),
            outputs=_each(found["outputs"], OutputSpec, "outputs"),
            score=ScoreSpec.from_json(found["score"]),
            payload_bytes=found["payload_bytes"],
            variants=_each(found["variants"], VariantInfo, "variants", longest=VARIANTS_MAX),
            profiles=profiles,
        )


def _each(
    data: object, record: type[_Record], where: str, *, longest: int = TENSORS_MAX
) -> tuple[_Record, ...]:
    """Read an array of records, after counting them."""
    found = _check.array(data, where)
    if len(found) > longest:
        raise BundleError(f"{where}: expected at most {longest}, received {len(found)}")
    return tuple(
        record.from_json(each, where=f"{where}[{index}]") for index, each in enumerate(found)
    )


def _within(profile: Profile) -> dict[str, Any]:
    """Return a table as a manifest holds it: without a format number, as the manifest has its own."""
    return {key: value for key, value in profile.to_json().items() if key != "format"}
