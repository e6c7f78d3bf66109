"""Squeezing images to another size."""

from typing import Any

import numpy as np

from tfelastic.data.extras import require
from tfelastic.errors import DataError


def squeeze(image: np.ndarray, size: int) -> np.ndarray:
    """Squeeze `[height, width, channels]` to `[size, size, channels]`, whatever the proportions.

    Shrinking averages the area under each new pixel; enlarging interpolates between pixels.
    """
    height, width, channels = image.shape
    if (height, width) == (size, size):
        return image
    pillow = require("PIL.Image", extra="report", purpose="changing the size of images")
    picture = pillow.fromarray(image[..., 0] if channels == 1 else image)
    return np.asarray(squeezed_picture(picture, size)).reshape(size, size, channels)


def squeezed_picture(picture: Any, size: int) -> Any:
    """Squeeze a pillow image as `squeeze` does an array."""
    pillow = require("PIL.Image", extra="report", purpose="changing the size of images")
    shrinks = min(picture.size) > size
    method = pillow.Resampling.BOX if shrinks else pillow.Resampling.BILINEAR
    return picture.resize((size, size), method)


def check_size(size: int | None) -> None:
    """Raise DataError unless `size` is None or a positive number of pixels."""
    if size is not None and (not isinstance(size, int) or size < 1):
        raise DataError(f"image_size must be a positive number of pixels, got {size!r}")
