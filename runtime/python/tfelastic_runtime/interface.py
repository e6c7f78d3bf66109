"""A network's interface: its inputs and outputs by name, and how a variant stores each of them.

All variants of a bundle have one interface, in real numbers or pixels. Each variant says of
each tensor in which type its own .tflite holds it. `tflite_export/bundle/FORMAT.md` is the norm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from tfelastic_runtime.errors import BundleError
from tfelastic_runtime.schema import Schema

IMAGE = {"layout": "NHWC", "range": [0, 255]}
"""What the manifest says of every input that is an image of raw pixels."""
INPUT_KINDS = ("image", "values")
OUTPUT_KINDS = ("logits", "probabilities", "values")
RANK_MAX = 5
NAME_MAX = 64
ELEMENTS_MAX = (1 << 31) - 1
ZERO_POINTS = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (0, 0),
    "int32": (0, 0),
    "float32": (0, 0),
}
"""The zero points that each dtype allows, first to last."""
UNSCALED = ("int32", "float32")
"""The dtypes that hold numbers as they are, at scale 1."""
_SCALE_MIN, _SCALE_MAX = 2.0**-126, 2.0**127

_check = Schema(BundleError)


@dataclass(frozen=True)
class InputSpec:
    """One input of the network.

    Attributes:
        name: Its name, unique among the inputs.
        shape: Its static shape, `[1, ...]`.
        kind: `image`, raw pixels of uint8 in NHWC; or `values`, real numbers.
    """

    name: str
    shape: tuple[int, ...]
    kind: str = "values"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _checked(self.name, self.shape, "input"))
        if self.kind not in INPUT_KINDS:
            raise BundleError(
                f"input {self.name!r}: kind: expected one of {', '.join(INPUT_KINDS)}, "
                f"received {self.kind!r}"
            )
        if self.kind == "image" and len(self.shape) != 4:
            raise BundleError(
                f"input {self.name!r}: an image has the shape [1, height, width, channels], "
                f"received {list(self.shape)}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data, in the form that FORMAT.md gives."""
        data = {"name": self.name, "shape": list(self.shape), "kind": self.kind}
        return data | IMAGE if self.kind == "image" else data

    @classmethod
    def from_json(cls, data: object, *, where: str = "input") -> InputSpec:
        """Read what `to_json` wrote."""
        names = ("name", "shape", "kind")
        is_image = _check.fields(data, names, where)["kind"] == "image"
        found = _check.exactly(data, (*names, *(IMAGE if is_image else ())), where)
        if is_image:
            _check.constants(found, IMAGE, where)
        shape = _check.array(found["shape"], f"{where}.shape")
        return cls(found["name"], shape, found["kind"])


@dataclass(frozen=True)
class OutputSpec:
    """One output of the network.

    Attributes:
        name: Its name, unique among the outputs.
        shape: Its static shape, `[1, ...]`.
        kind: `logits` or `probabilities` of classes on the last axis; or `values`, real numbers.
        labels: One text per element of the last axis, or None.
    """

    name: str
    shape: tuple[int, ...]
    kind: str = "values"
    labels: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _checked(self.name, self.shape, "output"))
        if self.kind not in OUTPUT_KINDS:
            raise BundleError(
                f"output {self.name!r}: kind: expected one of {', '.join(OUTPUT_KINDS)}, "
                f"received {self.kind!r}"
            )
        if self.labels is None:
            return
        for label in self.labels:
            _check.text(label, f"output {self.name!r}: labels")
        if len(self.labels) != self.shape[-1]:
            raise BundleError(
                f"output {self.name!r}: labels: expected one per class, {self.shape[-1]}, "
                f"received {len(self.labels)}"
            )

    @property
    def is_classifier(self) -> bool:
        """Whether its largest number names one of several classes: `[1, classes]`, not `values`."""
        return self.kind != "values" and len(self.shape) == 2 and self.shape[1] > 1

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        labels = None if self.labels is None else list(self.labels)
        return {"name": self.name, "shape": list(self.shape), "kind": self.kind, "labels": labels}

    @classmethod
    def from_json(cls, data: object, *, where: str = "output") -> OutputSpec:
        """Read what `to_json` wrote."""
        found = _check.exactly(data, tuple(field.name for field in fields(cls)), where)
        labels = found["labels"]
        return cls(
            found["name"],
            _check.array(found["shape"], f"{where}.shape"),
            found["kind"],
            None if labels is None else _check.array(labels, f"{where}.labels"),
        )


@dataclass(frozen=True)
class TensorSpec:
    """How one variant stores an input or output: `real = (stored - zero_point) * scale`.

    Attributes:
        position: Which of the .tflite's own inputs, or outputs, it is, counted from 0. A converter
            orders them as it likes.
        dtype: `int8`, `uint8`, `int16`, `int32` or `float32`. The last two have scale 1, and all but
            the first two have zero point 0.
        scale: The step between neighbouring values, exactly representable in float32.
        zero_point: The stored value that means zero.
    """

    position: int
    dtype: str
    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        _check.integer(self.position, "position", high=255)
        if self.dtype not in ZERO_POINTS:
            raise BundleError(
                f"dtype: expected one of {', '.join(ZERO_POINTS)}, received {self.dtype!r}"
            )
        scale = _check.number(self.scale, "scale", low=_SCALE_MIN, high=_SCALE_MAX)
        object.__setattr__(self, "scale", scale)
        low, high = ZERO_POINTS[self.dtype]
        _check.integer(self.zero_point, f"zero_point of {self.dtype}", low=low, high=high)
        if self.dtype in UNSCALED and self.scale != 1.0:
            raise BundleError(f"scale: expected 1 for {self.dtype}, received {self.scale}")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, data: object, *, where: str = "tensor") -> TensorSpec:
        """Read what `to_json` wrote."""
        return cls(**_check.exactly(data, tuple(field.name for field in fields(cls)), where))


def check_unique(specs: Sequence[InputSpec | OutputSpec], where: str) -> None:
    """Check that an interface has tensors, and each a name of its own.

    Raises:
        BundleError: There is none, or two have the same name.
    """
    if not specs:
        raise BundleError(f"{where}: expected at least one")
    names = [spec.name for spec in specs]
    if len(set(names)) != len(names):
        raise BundleError(f"{where}: names must be unique, received {', '.join(map(repr, names))}")


def _checked(name: object, shape: Sequence[Any], what: str) -> tuple[int, ...]:
    """Return a checked name's checked shape."""
    where = f"{what} {_check.text(name, f'{what} name', longest=NAME_MAX)!r}: shape"
    if not 1 <= len(shape) <= RANK_MAX:
        raise BundleError(
            f"{where}: expected [1, ...] with 1 to {RANK_MAX} axes, received {list(shape)}"
        )
    for axis, size in enumerate(shape):
        _check.integer(size, f"{where}[{axis}]", low=1, high=65535 if axis else 1)
    if math.prod(shape) > ELEMENTS_MAX:
        raise BundleError(
            f"{where}: expected at most {ELEMENTS_MAX} elements, received {list(shape)}"
        )
    return tuple(shape)
