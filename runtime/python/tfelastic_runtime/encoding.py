"""From raw pixels to a variant's input, and from its output to real numbers (`runtime/SPEC.md`, 3).

Preprocessing is part of the network, so a device feeds the pixels as the camera gave them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfelastic_runtime.errors import InputError
from tfelastic_runtime.variant import TensorSpec


def encode(image: np.ndarray, spec: TensorSpec, *, shape: Sequence[int]) -> np.ndarray:
    """Return the input tensor for raw pixels.

    Args:
        image: uint8 `[height, width, channels]`.
        spec: The variant's input; `int8` takes pixel - 128, `float32` the pixel itself.
        shape: The `[height, width, channels]` that the bundle takes.

    Returns:
        `[1, height, width, channels]` in the input's dtype.

    Raises:
        InputError: The image has another shape or dtype; the message names both.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape != tuple(shape):
        raise InputError(
            f"expected a uint8 array of shape {list(shape)} [height, width, channels], "
            "raw pixels 0 .. 255 without a batch axis and without preprocessing, "
            f"received {_told(image)}"
        )
    if spec.dtype == "float32":
        return image.astype(np.float32)[np.newaxis]
    # Flipping the top bit subtracts 128 in two's complement, without a wider intermediate.
    return (image ^ np.uint8(128)).view(np.int8)[np.newaxis]


def decode(stored: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """Return float32 `[classes]` for a stored `[1, classes]`: one subtraction, one product."""
    if spec.dtype == "float32":
        return stored[0].copy()
    return (stored[0].astype(np.float32) - np.float32(spec.zero_point)) * np.float32(spec.scale)


def _told(image: Any) -> str:
    if isinstance(image, np.ndarray):
        return f"{image.dtype} of shape {list(image.shape)}"
    return f"a {type(image).__name__}"
