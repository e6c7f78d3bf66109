"""Folders of images: one folder per class, or images beside masks.

```
ROOT/train/CLASS/*.png      ROOT/train/images/*.png   ROOT/train/masks/*.png
ROOT/test/CLASS/*.png       ROOT/test/images/*.png    ROOT/test/masks/*.png
                            ROOT/classes.txt          (a name a line; optional)
```
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfelastic.data.dataset import Dataset, Split
from tfelastic.data.image_files import (
    ENDINGS,
    image_files,
    read_mask,
    read_picture,
    visible_entries,
)
from tfelastic.data.resizing import resize_mask_to_square, resize_picture_to_square
from tfelastic.errors import DataError

_TEST_NAMES = ("test", "validation", "val")
_SEGMENTATION = {"images", "masks"}


def load_folder(path: Path, *, image_size: int | None = None) -> Dataset:
    """Read a folder with one sub-folder per split and, in each, one per class, or `images` and `masks`.

    The training split is `train`; the test split is `test`, `validation` or `val`, the first that
    is there. Images become grey where all of them are, RGB otherwise. A mask has its image's name, whatever the
    ending, and a class number per pixel. Hidden files and folders are left out.

    Args:
        path: The folder.
        image_size: Pixels per side to resize every image to, whatever its proportions; needed where the sizes differ.

    Raises:
        DataError: A folder is missing or has no images, a class lacks images in a split, an image cannot be read or
            has no mask, sizes differ, there is one class only, or pillow is not installed.
    """
    train_path = path / "train"
    test_path = next((path / name for name in _TEST_NAMES if (path / name).is_dir()), None)
    if not train_path.is_dir() or test_path is None:
        raise DataError(
            f"{path} must hold the folders 'train' and 'test' (or 'validation'), each with one "
            f"folder of images per class; it holds {_listing(path)}"
        )
    folders = {entry.name for entry in visible_entries(train_path) if entry.is_dir()}
    read = _read_masks if folders == _SEGMENTATION else _read_classes
    return read(path, train_path, test_path, image_size)


def _read_classes(path: Path, train_path: Path, test_path: Path, size: int | None) -> Dataset:
    classes, test_classes = _classes(train_path), _classes(test_path)
    if unknown := sorted(set(test_classes) - set(classes)):
        raise DataError(
            f"{test_path} has the class {unknown[0]!r}, which {train_path} lacks; "
            f"the classes are {', '.join(classes)}"
        )
    if missing := sorted(set(classes) - set(test_classes)):
        raise DataError(
            f"{test_path} lacks the class {missing[0]!r}, so nothing would tell how well it is recognized; add "
            "images of it, or remove it from the training images"
        )
    if len(classes) < 2:
        raise DataError(
            f"{train_path} has one class only, {classes[0]!r}: there is nothing to tell apart"
        )
    pictures, labels = [], []
    for root in (train_path, test_path):
        files = [
            (file, label) for label, name in enumerate(classes) for file in _files(root / name)
        ]
        pictures.append([_picture(file, size) for file, _ in files])
        labels.append(np.array([label for _, label in files]))
    images = _stacked(pictures, (train_path, test_path))
    train, test = (Split(*pair) for pair in zip(images, labels, strict=True))
    return Dataset(name=path.resolve().name, classes=classes, train=train, test=test)


def _read_masks(path: Path, train_path: Path, test_path: Path, size: int | None) -> Dataset:
    pictures, masks = [], []
    for root in (train_path, test_path):
        files = _files(root / "images")
        paired = [_mask_of(file, root / "masks") for file in files]
        pictures.append([_picture(file, size) for file in files])
        masks.append([_mask(file, size) for file in paired])
        for file, picture, mask in zip(files, pictures[-1], masks[-1], strict=True):
            if picture.size != mask.size:
                raise DataError(
                    f"the image {file} is {picture.size} but its mask {mask.size} (width, height)"
                )
    images = _stacked(pictures, (train_path, test_path))
    targets = [np.stack([np.asarray(mask) for mask in each]) for each in masks]
    train, test = (Split(*pair) for pair in zip(images, targets, strict=True))
    highest = max(int(target.max()) for target in targets)
    classes = _named_classes(path / "classes.txt", highest)
    return Dataset(name=path.resolve().name, classes=classes, train=train, test=test)


def _classes(root: Path) -> tuple[str, ...]:
    """Return the names of a split's class folders, all of which hold images."""
    names = tuple(entry.name for entry in visible_entries(root) if entry.is_dir())
    stray = [entry for entry in visible_entries(root) if entry.suffix.lower() in ENDINGS]
    if stray and names:
        raise DataError(f"{stray[0]} lies beside the class folders; move it into one of them")
    if not names:
        raise DataError(
            f"no images in {root}; expected CLASS/NAME with the ending {', '.join(sorted(ENDINGS))}"
        )
    return names


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir() or not (files := image_files(folder)):
        raise DataError(
            f"no images in {folder}; expected files with the ending {', '.join(sorted(ENDINGS))}"
        )
    return files


def _picture(file: Path, size: int | None) -> Any:
    return _resized(read_picture(file), size, resize_picture_to_square)


def _mask(file: Path, size: int | None) -> Any:
    return _resized(read_mask(file), size, resize_mask_to_square)


def _resized(picture: Any, size: int | None, resize: Callable[[Any, int], Any]) -> Any:
    return picture if size is None else resize(picture, size)


def _mask_of(file: Path, folder: Path) -> Path:
    found = [mask for mask in _files(folder) if mask.stem == file.stem]
    if len(found) != 1:
        raise DataError(
            f"the image {file} needs one mask {file.stem}.* in {folder}, got {len(found)}"
        )
    return found[0]


def _named_classes(file: Path, highest: int) -> tuple[str, ...]:
    if not file.is_file():
        return tuple(f"class {number}" for number in range(highest + 1))
    names = tuple(
        line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()
    )
    if len(names) <= highest:
        raise DataError(
            f"{file} names {len(names)} classes, but the masks hold class numbers up to {highest}"
        )
    return names


def _stacked(splits: list[list[Any]], roots: tuple[Path, ...]) -> list[np.ndarray]:
    """Return each split's images as one array, grey where all images of both are."""
    for pictures, root in zip(splits, roots, strict=True):
        sizes = sorted({picture.size for picture in pictures})
        if len(sizes) > 1:
            raise DataError(
                f"the images in {root} have {len(sizes)} sizes, from {sizes[0]} to {sizes[-1]} (width, "
                f"height); give an image_size to resize them to"
            )
    grey = all(picture.mode == "L" for pictures in splits for picture in pictures)
    if grey:
        return [np.stack([np.asarray(p) for p in pictures])[..., np.newaxis] for pictures in splits]
    return [np.stack([np.asarray(p.convert("RGB")) for p in pictures]) for pictures in splits]


def _listing(path: Path) -> str:
    names = sorted(entry.name for entry in path.iterdir())
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "") if names else "nothing"
