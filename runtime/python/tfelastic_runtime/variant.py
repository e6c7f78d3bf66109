"""One variant of a bundle: what it is, what it costs, and where its .tflite comes from.

The records are read strictly: an unknown key or value belongs to a format version that this reader
does not know. `tflite_export/bundle/FORMAT.md` is the norm.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tfelastic_runtime.errors import BundleError
from tfelastic_runtime.schema import Schema

ALIGNMENT = 16
"""Whole variants start at multiples of this many bytes, as LiteRT wants its flatbuffers."""
PAYLOAD_MAX = (1 << 31) - 1
INT8_INPUT = (1.0, -128)
"""Scale and zero point of every int8 input: a pixel minus 128."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SCALE_MIN, _SCALE_MAX = 2.0**-126, 2.0**127

_check = Schema(BundleError)


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
class Stored:
    """Where in the payload a variant lies, and in which form.

    Attributes:
        form: `whole`, the .tflite itself; or `program`, what writes it from the payload.
        offset: Where that starts, in bytes from the start of the payload.
        bytes: How long it is.
    """

    form: str
    offset: int
    bytes: int

    def __post_init__(self) -> None:
        if self.form not in ("whole", "program"):
            raise BundleError(f"stored.form: expected 'whole' or 'program', received {self.form!r}")
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
        plan: What of the network it keeps; None where not told.
        scheme: The quantization scheme it was converted by, such as `int8`.
        params: Parameters.
        macs: Multiply-accumulate operations of one inference.
        peak_bytes: Predicted bytes of activations alive at once; None where not known.
        arena_bytes: Measured bytes of a microcontroller's arena; None where not known.
        accuracy: The share of correct answers on the exporter's test data, in 0 .. 1.
        accuracies: Further accuracies by what was measured, such as `keras`.
        bytes: How long its .tflite is.
        sha256: The SHA-256 of its .tflite, in lower-case hexadecimal.
        stored: Where it lies in the payload, and in which form.
        input: How it takes pixels.
        output: How it gives its answer.
    """

    name: str
    width: float
    plan: VariantPlan | None = None
    scheme: str
    params: int
    macs: int
    peak_bytes: int | None = None
    arena_bytes: int | None = None
    accuracy: float
    accuracies: Mapping[str, float] = field(default_factory=dict)
    bytes: int
    sha256: str
    stored: Stored
    input: TensorSpec
    output: TensorSpec

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
        self._check_accuracies()
        self._check_file()

    def _check_accuracies(self) -> None:
        accuracy = _check.number(self.accuracy, "accuracy", low=0, high=1)
        object.__setattr__(self, "accuracy", accuracy)
        further = {}
        for name, share in _check.fields(self.accuracies, (), "accuracies").items():
            where = f"accuracies[{_check.text(name, 'accuracies')!r}]"
            further[name] = _check.number(share, where, low=0, high=1)
        object.__setattr__(self, "accuracies", further)

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
        return {
            **data,
            "plan": None if self.plan is None else self.plan.to_json(),
            "accuracies": dict(self.accuracies),
            "stored": self.stored.to_json(),
            "input": self.input.to_json(),
            "output": self.output.to_json(),
        }

    @classmethod
    def from_json(cls, data: object, *, where: str = "variant") -> VariantInfo:
        """Read what `to_json` wrote."""
        found = dict(_check.exactly(data, tuple(field.name for field in fields(cls)), where))
        try:
            found["plan"] = None if found["plan"] is None else VariantPlan.from_json(found["plan"])
            found["stored"] = Stored.from_json(found["stored"])
            for side in ("input", "output"):
                found[side] = TensorSpec.from_json(found[side], where=side)
            return cls(**found)
        except BundleError as cause:
            raise BundleError(f"{where}: {cause}") from cause
