"""From what a caller gives to a variant's inputs, and from its outputs to real numbers.

`runtime/SPEC.md`, section 3, is the norm: every step is one operation of single precision, so that all
languages agree to the bit. Preprocessing is part of the network: a device feeds pixels as the camera
gave them, and features as real numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfelastic_runtime.errors import InputError
from tfelastic_runtime.interface import InputSpec, TensorSpec

_PIXELS = {"int8": (1.0, -128), "uint8": (1.0, 0), "int32": (1.0, 0), "float32": (1.0, 0)}
"""Scale and zero point at which a dtype holds pixels exactly."""


class Encoder:
    """Encodes one input for one variant. It owns its buffers: a call allocates no array.

    Args:
        spec: What the network takes.
        tensor: How the variant stores it.

    Examples:
        >>> encoder = Encoder(InputSpec("features", (1, 4)), TensorSpec(0, "int8", 0.5, 3))
        >>> encoder.encode(np.array([0.0, 0.25, 0.75, 99.0], np.float32))
        array([[  3,   3,   5, 127]], dtype=int8)
    """

    def __init__(self, spec: InputSpec, tensor: TensorSpec) -> None:
        self._spec, self._tensor = spec, tensor
        self._is_exact = _PIXELS.get(tensor.dtype) == (tensor.scale, tensor.zero_point)
        self._stored = np.zeros(spec.shape, tensor.dtype)
        self._real = np.zeros(spec.shape[1:], np.float32)
        # The bounds of int32 are no float32 numbers, but they are float64 ones.
        precision = np.float64 if tensor.dtype == "int32" else np.float32
        self._scaled = self._real.astype(precision, copy=False)
        self._low = self._high = precision(0)
        if tensor.dtype != "float32":
            limits = np.iinfo(tensor.dtype)
            self._low = precision(limits.min - tensor.zero_point)
            self._high = precision(limits.max - tensor.zero_point)

    def encode(self, value: np.ndarray) -> np.ndarray:
        """Return the variant's tensor; the next call overwrites it.

        Args:
            value: The input without its first axis: uint8 for an image, floating point for values.

        Returns:
            An array of the input's shape in the variant's dtype.

        Raises:
            InputError: The value has another shape or dtype, or is not finite in single precision.
        """
        is_image = self._spec.kind == "image"
        self._check(value, is_image=is_image)
        target = self._stored[0, ...]
        if is_image and self._is_exact:
            if self._tensor.dtype == "int8":
                # Flipping the top bit subtracts 128 in two's complement, without a wider array.
                np.bitwise_xor(value, np.uint8(128), out=target.view(np.uint8))
            else:
                np.copyto(target, value)
            return self._stored
        with np.errstate(all="ignore"):
            np.copyto(self._real, value, casting="same_kind")
            if not is_image:
                self._check_finite()
            self._quantize(target)
        return self._stored

    def _quantize(self, target: np.ndarray) -> None:
        if self._tensor.dtype == "float32":
            np.copyto(target, self._real)
            return
        scaled = self._scaled
        np.divide(self._real, np.float32(self._tensor.scale), out=self._real)
        np.copyto(scaled, self._real)
        # To clip before rounding is the same as after it, as the bounds are integers.
        np.clip(scaled, self._low, self._high, out=scaled)
        np.rint(scaled, out=scaled)
        np.add(scaled, scaled.dtype.type(self._tensor.zero_point), out=scaled)
        np.copyto(target, scaled, casting="unsafe")

    def _check(self, value: Any, *, is_image: bool) -> None:
        shape = self._spec.shape[1:]
        kind = "u" if is_image else "f"
        if (
            isinstance(value, np.ndarray)
            and value.shape == shape
            and value.dtype.kind == kind
            and (not is_image or value.dtype == np.uint8)
        ):
            return
        expected = (
            f"a uint8 array of shape {list(shape)} [height, width, channels], raw pixels 0 .. 255 "
            "without preprocessing"
            if is_image
            else f"a float32 array of shape {list(shape)}, real values"
        )
        raise InputError(
            f"input {self._spec.name!r}: expected {expected} and without a batch axis, "
            f"received {_described(value)}"
        )

    def _check_finite(self) -> None:
        # The smallest and the largest are NaN if any is, and need no array to say so.
        if np.isfinite(self._real.min()) and np.isfinite(self._real.max()):
            return
        place = np.unravel_index(np.argmin(np.isfinite(self._real)), self._real.shape)
        raise InputError(
            f"input {self._spec.name!r}: expected numbers that are finite in float32, "
            f"received {self._real[place]} at {[int(index) for index in place]}"
        )


def decode(stored: np.ndarray, tensor: TensorSpec) -> np.ndarray:
    """Return the real numbers of a stored output, float32 without the first axis, in an array of their own.

    Args:
        stored: `[1, ...]` in the variant's dtype.
        tensor: How the variant stores it.
    """
    real = np.empty(stored.shape[1:], np.float32)
    np.copyto(real, stored[0, ...], casting="same_kind")
    if tensor.dtype != "float32":
        with np.errstate(all="ignore"):
            np.subtract(real, np.float32(tensor.zero_point), out=real)
            np.multiply(real, np.float32(tensor.scale), out=real)
    return real


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {list(value.shape)}"
    return f"a {type(value).__name__}"
