"""One variant of a bundle: what it is, what it costs, and where its .tflite comes from.

The records are read strictly: an unknown key or value belongs to a format version that this reader
does not know. `tflite_export/bundle/FORMAT.md` is the norm.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tfelastic_runtime.errors import BundleError
from tfelastic_runtime.interface import TensorSpec
from tfelastic_runtime.limits import TENSORS_MAX
from tfelastic_runtime.schema import Schema
from tfelastic_runtime.score import SCORE_MAX

ALIGNMENT = 16
"""Whole variants start at multiples of this many bytes, as LiteRT wants its flatbuffers."""
PAYLOAD_MAX = (1 << 31) - 1
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)

_check = Schema(BundleError)


@dataclass(frozen=True)
class Stored:
    """Where in the payload a variant lies, and in which form.

    Attributes:
        form: `whole`, the .tflite itself; or `delta`, instructions that write it from the payload.
        offset: Where that starts, in bytes from the start of the payload.
        bytes: How long it is.
    """

    form: str
    offset: int
    bytes: int

    def __post_init__(self) -> None:
        if self.form not in ("whole", "delta"):
            raise BundleError(f"stored.form: expected 'whole' or 'delta', received {self.form!r}")
        _check.integer(self.offset, "stored.offset", high=PAYLOAD_MAX)
        _check.integer(self.bytes, "stored.bytes", low=1, high=PAYLOAD_MAX)
        if self.whole and self.offset % ALIGNMENT:
            raise BundleError(
                f"stored.offset: expected a multiple of {ALIGNMENT} for a whole variant, "
                f"received {self.offset}"
            )

    @property
    def whole(self) -> bool:
        """Whether the variant can be used in place."""
        return self.form == "whole"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {"form": self.form, "offset": self.offset, "bytes": self.bytes}

    @classmethod
    def from_json(cls, data: object) -> Stored:
        """Read what `to_json` wrote."""
        return cls(**_check.exactly(data, ("form", "offset", "bytes"), "stored"))


@dataclass(frozen=True)
class VariantPlan:
    """What of the network a variant keeps.

    Attributes:
        keep: How many units of each group: the leading ones in the network's order.
        removed: The blocks that it went without.
    """

    keep: Mapping[str, int] = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for group, units in _check.fields(self.keep, (), "plan.keep").items():
            _check.text(group, "plan.keep")
            _check.integer(units, f"plan.keep[{group!r}]", low=1)
        for block in self.removed:
            _check.text(block, "plan.removed")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {"keep": dict(self.keep), "removed": list(self.removed)}

    @classmethod
    def from_json(cls, data: object) -> VariantPlan:
        """Read what `to_json` wrote."""
        found = _check.exactly(data, ("keep", "removed"), "plan")
        return cls(found["keep"], _check.array(found["removed"], "plan.removed"))


@dataclass(frozen=True, kw_only=True)
class VariantInfo:
    """One variant of the bundle: what it is, what it costs, and how its .tflite is stored.

    Attributes:
        name: Its name, unique in the bundle, fit to be a file name.
        width: The share of the widest variant's channels that it keeps, in (0, 1].
        plan: What of the network it keeps; None where not given.
        scheme: The quantization scheme it was converted by, such as `int8`.
        params: Parameters.
        macs: Multiply-accumulate operations of one inference.
        peak_bytes: Predicted bytes of activations alive at once; None where not known.
        arena_bytes: Measured bytes of a microcontroller's arena; None where not known.
        score: The manifest's metric, measured on this very .tflite; it alone decides what a selector
            prefers.
        metrics: Further metrics by name, such as `keras_accuracy`.
        bytes: How long its .tflite is.
        sha256: The SHA-256 of its .tflite, in lower-case hexadecimal.
        stored: Where it lies in the payload, and in which form.
        inputs: How it stores each input, in the manifest's order.
        outputs: How it stores each output, in the manifest's order.
    """

    name: str
    width: float
    plan: VariantPlan | None = None
    scheme: str
    params: int
    macs: int
    peak_bytes: int | None = None
    arena_bytes: int | None = None
    score: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    bytes: int
    sha256: str
    stored: Stored
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise BundleError(
                "name: expected 1 to 32 of a-z 0-9 . _ - that begin with a letter or digit, "
                f"received {self.name!r}"
            )
        object.__setattr__(self, "width", _check.number(self.width, "width", low=2.0**-20, high=1))
        _check.text(self.scheme, "scheme", longest=32)
        for cost in ("params", "macs"):
            _check.integer(getattr(self, cost), cost)
        for cost in ("peak_bytes", "arena_bytes"):
            if getattr(self, cost) is not None:
                _check.integer(getattr(self, cost), cost)
        self._check_metrics()
        self._check_file()
        self._check_tensors()

    def _check_metrics(self) -> None:
        object.__setattr__(self, "score", _finite(self.score, "score"))
        metrics = {
            _check.text(name, "metrics"): _finite(value, f"metrics[{name!r}]")
            for name, value in _check.fields(self.metrics, (), "metrics").items()
        }
        object.__setattr__(self, "metrics", metrics)

    def _check_tensors(self) -> None:
        for side in ("inputs", "outputs"):
            tensors = tuple(getattr(self, side))
            object.__setattr__(self, side, tensors)
            if not 1 <= len(tensors) <= TENSORS_MAX:
                raise BundleError(
                    f"{side}: expected 1 to {TENSORS_MAX} tensors, received {len(tensors)}"
                )
            if (found := sorted(each.position for each in tensors)) != [*range(len(tensors))]:
                raise BundleError(
                    f"{side}: expected each position from 0 to {len(tensors) - 1} once, "
                    f"received {found}"
                )

    def _check_file(self) -> None:
        _check.integer(self.bytes, "bytes", low=1, high=PAYLOAD_MAX)
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256):
            raise BundleError(
                f"sha256: expected 64 lower-case hexadecimal digits, received {self.sha256!r}"
            )
        if self.stored.whole and self.stored.bytes != self.bytes:
            raise BundleError(
                f"stored.bytes: expected {self.bytes}, the variant's own, as it is stored whole, "
                f"received {self.stored.bytes}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            **data,
            "plan": None if self.plan is None else self.plan.to_json(),
            "metrics": dict(self.metrics),
            "stored": self.stored.to_json(),
            "inputs": [tensor.to_json() for tensor in self.inputs],
            "outputs": [tensor.to_json() for tensor in self.outputs],
        }

    @classmethod
    def from_json(cls, data: object, *, where: str = "variant") -> VariantInfo:
        """Read what `to_json` wrote."""
        found = dict(_check.exactly(data, tuple(field.name for field in fields(cls)), where))
        try:
            found["plan"] = None if found["plan"] is None else VariantPlan.from_json(found["plan"])
            found["stored"] = Stored.from_json(found["stored"])
            for side in ("inputs", "outputs"):
                found[side] = tuple(
                    TensorSpec.from_json(tensor, where=f"{side}[{index}]")
                    for index, tensor in enumerate(_check.array(found[side], side))
                )
            return cls(**found)
        except BundleError as cause:
            raise BundleError(f"{where}: {cause}") from cause


def _finite(value: object, where: str) -> float:
    return _check.number(value, where, low=-SCORE_MAX, high=SCORE_MAX)
