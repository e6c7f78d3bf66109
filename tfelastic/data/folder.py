"""Folders of images: `train/CLASS/*.png` and `test/CLASS/*.png`."""

from pathlib import Path
from typing import Any

import numpy as np

from tfelastic.data.base import Dataset, Split
from tfelastic.data.extras import require
from tfelastic.data.resize import squeezed_picture
from tfelastic.errors import DataError

_ENDINGS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".webp"})
_TEST_NAMES = ("test", "validation", "val")


def load_folder(path: Path, *, image_size: int | None = None) -> Dataset:
    """Read a folder with one sub-folder per split and, in each, one per class.

    The training split is `train`; the test split is `test`, `validation` or `val`, the first that
    is there. Images become grey where all of them are, RGB otherwise.

    Args:
        path: The folder.
        image_size: Pixels per side to squeeze every image to; needed where the sizes differ.

    Raises:
        DataError: A folder is missing or has no images, an image cannot be read, sizes differ, a
            test class has no training images, or pillow is not installed.
    """
    train_path = path / "train"
    test_path = next((path / name for name in _TEST_NAMES if (path / name).is_dir()), None)
    if not train_path.is_dir() or test_path is None:
        raise DataError(
            f"{path} must hold the folders 'train' and 'test' (or 'validation'), each with one "
            f"folder of images per class; it holds {_listing(path)}"
        )
    classes = _subfolders(train_path)
    unknown = sorted(set(_subfolders(test_path)) - set(classes))
    if unknown:
        raise DataError(
            f"{test_path} has the class {unknown[0]!r}, which {train_path} lacks; "
            f"the classes are {', '.join(classes)}"
        )
    train = _pictures(train_path, classes, image_size)
    test = _pictures(test_path, classes, image_size)
    grey = all(picture.mode == "L" for picture, _ in train + test)
    return Dataset(
        name=path.resolve().name,
        classes=classes,
        train=_split(train, train_path, grey=grey),
        test=_split(test, test_path, grey=grey),
    )


def _pictures(
    root: Path, classes: tuple[str, ...], image_size: int | None
) -> list[tuple[Any, int]]:
    """Return (pillow image, label) of every image file under `root`, sorted by class and name."""
    pictures = []
    for label, name in enumerate(classes):
        files = (root / name).glob("*")
        for file in sorted(f for f in files if f.suffix.lower() in _ENDINGS):
            pictures.append((_open(file, image_size), label))
    if not pictures:
        raise DataError(
            f"no images in {root}; expected CLASS/NAME with the ending "
            f"{', '.join(sorted(_ENDINGS))}"
        )
    return pictures


def _open(file: Path, image_size: int | None) -> Any:
    pillow = require("PIL.Image", extra="report", purpose="an image folder")
    try:
        with pillow.open(file) as picture:
            picture = picture.convert("L" if picture.mode in ("1", "L") else "RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"cannot read the image {file}: {error}; repair or remove it") from error
    return picture if image_size is None else squeezed_picture(picture, image_size)


def _split(pictures: list[tuple[Any, int]], root: Path, *, grey: bool) -> Split:
    sizes = sorted({picture.size for picture, _ in pictures})
    if len(sizes) > 1:
        raise DataError(
            f"the images in {root} have {len(sizes)} sizes, from {sizes[0]} to {sizes[-1]} (width, "
            f"height); give an image_size to squeeze them to"
        )
    images = np.stack([np.asarray(p if grey else p.convert("RGB")) for p, _ in pictures])
    return Split(images[..., np.newaxis] if grey else images, np.array([y for _, y in pictures]))


def _subfolders(path: Path) -> tuple[str, ...]:
    return tuple(sorted(entry.name for entry in path.iterdir() if entry.is_dir()))


def _listing(path: Path) -> str:
    names = sorted(entry.name for entry in path.iterdir())
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "") if names else "nothing"
