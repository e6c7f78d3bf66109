"""Image files: one picture or one mask at a time, read rightly or refused by name.

| file | is read as |
|---|---|
| 1-bit and 8-bit grey | grey |
| 16-bit grey | grey, its 65,536 levels mapped to 256 |
| RGB, palette, CMYK, YCbCr and their like | RGB |
| with an alpha channel | as without it where every pixel is opaque, else refused |
| rotated by an EXIF tag | upright |
| animated, several pages, floating point, 32 bits | refused |
"""

import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfelastic.data.extras import require
from tfelastic.errors import DataError

ENDINGS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})

# What archives and editors leave beside images.
_FOREIGN_FOLDERS = frozenset({"__MACOSX"})
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")


def visible_entries(folder: Path) -> list[Path]:
    """Return a folder's entries in alphabetical order, without hidden ones and those that archivers leave."""
    return sorted(
        entry
        for entry in folder.iterdir()
        if not entry.name.startswith(".") and entry.name not in _FOREIGN_FOLDERS
    )


def image_files(folder: Path) -> list[Path]:
    """Return the image files of a folder in alphabetical order.

    Raises:
        DataError: The folder holds folders with images of their own, or an image that is no regular file.
    """
    files = []
    for entry in visible_entries(folder):
        if entry.is_dir():
            if deeper := next(_images_below(entry), None):
                raise DataError(
                    f"{deeper} lies one level too deep: expected images in {folder} itself; move them up, or "
                    "remove that folder"
                )
        elif entry.suffix.lower() in ENDINGS:
            # Opening a pipe would wait for its writer for ever.
            if not stat.S_ISREG(entry.stat().st_mode):
                raise DataError(f"{entry} is no regular file; remove it")
            files.append(entry)
    return files


def read_picture(file: Path) -> Any:
    """Return a pillow image of mode L or RGB.

    Raises:
        DataError: The file cannot be read, or is of a kind that cannot be converted without a loss.
    """
    picture = _opened(file)
    if picture.mode in _SIXTEEN_BITS or (picture.mode == "I" and picture.format == "PNG"):
        levels = np.asarray(picture).astype(np.uint32)
        return _pillow().fromarray(((levels + 128) // 257).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise DataError(
            f"{file} has pixels of 32 bits, whose range is not known; convert it to 8 or 16 bits"
        )
    grey = picture.mode in ("1", "L", "LA", "La")
    if picture.has_transparency_data:
        alpha = np.asarray(picture.convert("RGBA"))[..., 3]
        if alpha.min() < 255:
            raise DataError(
                f"{file} has transparent pixels, and what shows through them is not known; lay it over a background"
            )
        picture = picture.convert("RGBA")
    return picture.convert("L" if grey else "RGB")


def read_mask(file: Path) -> Any:
    """Return a pillow image of mode I whose pixels are class numbers: a grey image's levels, a palette's places.

    Raises:
        DataError: The file cannot be read, or its pixels are colours.
    """
    picture = _opened(file)
    if picture.mode not in ("1", "L", "P", *_SIXTEEN_BITS):
        raise DataError(
            f"{file} is no mask: expected grey levels or palette places that are class numbers, got mode {picture.mode}"
        )
    return _pillow().fromarray(np.asarray(picture).astype(np.int32))


def _opened(file: Path) -> Any:
    pillow = _pillow()
    turn = require("PIL.ImageOps", extra="report", purpose="reading images").exif_transpose
    try:
        with warnings.catch_warnings():
            # A few kilobytes can unpack to gigabytes of pixels.
            warnings.simplefilter("error", pillow.DecompressionBombWarning)
            with pillow.open(file) as picture:
                frames = getattr(picture, "n_frames", 1)
                picture.load()
                kind = picture.format
                upright = turn(picture)
    except (OSError, ValueError, SyntaxError, EOFError, pillow.DecompressionBombError) as error:
        raise DataError(f"cannot read the image {file}: {error}; repair or remove it") from error
    except pillow.DecompressionBombWarning as error:
        raise DataError(f"cannot read the image {file}: {error}; make it smaller") from error
    if frames > 1:
        raise DataError(
            f"{file} holds {frames} pictures, and which of them to take is not known; save one of them"
        )
    upright.format = kind
    return upright


def _images_below(folder: Path) -> Iterator[Path]:
    return (
        file
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in ENDINGS and file.is_file()
    )


def _pillow() -> Any:
    return require("PIL.Image", extra="report", purpose="reading images")
