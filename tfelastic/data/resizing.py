"""Resizing images, whatever their proportions."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from tfelastic.data.extras import require
from tfelastic.errors import DataError

#: (height, width) in pixels.
Size: TypeAlias = tuple[int, int]


def resize(image: np.ndarray, size: Size) -> np.ndarray:
    """Resize `[height, width, channels]` to `size`.

    Shrinking averages the area under each new pixel; enlarging interpolates between pixels.
    """
    *shape, channels = image.shape
    if tuple(shape) == size:
        return image
    picture = _pillow().fromarray(image[..., 0] if channels == 1 else image)
    return np.asarray(resize_picture(picture, size)).reshape(*size, channels)


def resize_picture(picture: Any, size: Size) -> Any:
    """Resize a pillow image as `resize` does an array."""
    height, width = size
    sampling = _pillow().Resampling
    shrinks = picture.width > width and picture.height > height
    return picture.resize((width, height), sampling.BOX if shrinks else sampling.BILINEAR)


def resize_mask(picture: Any, size: Size) -> Any:
    """Resize a pillow image whose pixels are class numbers: each new pixel takes its nearest one's."""
    height, width = size
    return picture.resize((width, height), _pillow().Resampling.NEAREST)


def size_of(image_size: int | Sequence[int] | None) -> Size | None:
    """Return (height, width) of what a user gives: pixels per side of a square, or a height and a width.

    Raises:
        DataError: It is neither one positive number nor two.

    Examples:
        >>> size_of(32), size_of([48, 64])
        ((32, 32), (48, 64))
    """
    if image_size is None:
        return None
    sides = (image_size, image_size) if isinstance(image_size, int) else image_size
    whole = isinstance(sides, Sequence) and all(isinstance(s, int) and s >= 1 for s in sides)
    if not whole or len(sides) != 2:
        raise DataError(
            "image_size must be a positive number of pixels, or a height and a width such as "
            f"[48, 64], got {image_size!r}"
        )
    height, width = sides
    return height, width


def _pillow() -> Any:
    return require("PIL.Image", extra="report", purpose="changing the size of images")
