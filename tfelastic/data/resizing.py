"""Resizing images to a square."""

from typing import Any

import numpy as np

from tfelastic.data.extras import require
from tfelastic.errors import DataError


def resize_to_square(image: np.ndarray, size: int) -> np.ndarray:
    """Resize `[height, width, channels]` to `[size, size, channels]`, whatever the proportions.

    Shrinking averages the area under each new pixel; enlarging interpolates between pixels.
    """
    height, width, channels = image.shape
    if (height, width) == (size, size):
        return image
    pillow = require("PIL.Image", extra="report", purpose="changing the size of images")
    picture = pillow.fromarray(image[..., 0] if channels == 1 else image)
    return np.asarray(resize_picture_to_square(picture, size)).reshape(size, size, channels)


def resize_picture_to_square(picture: Any, size: int) -> Any:
    """Resize a pillow image as `resize_to_square` does an array."""
    pillow = require("PIL.Image", extra="report", purpose="changing the size of images")
    shrinks = min(picture.size) > size
    method = pillow.Resampling.BOX if shrinks else pillow.Resampling.BILINEAR
    return picture.resize((size, size), method)


def resize_mask_to_square(picture: Any, size: int) -> Any:
    """Resize a pillow image whose pixels are class numbers: each new pixel takes its nearest one's."""
    pillow = require("PIL.Image", extra="report", purpose="changing the size of images")
    return picture.resize((size, size), pillow.Resampling.NEAREST)


def check_size(size: int | None) -> None:
    """Raise DataError unless `size` is None or a positive number of pixels."""
    if size is not None and (not isinstance(size, int) or size < 1):
        raise DataError(f"image_size must be a positive number of pixels, got {size!r}")
