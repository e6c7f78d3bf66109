"""Folders of images: one folder per class, or images beside masks, in two splits or in none.

```
ROOT/train/CLASS/*.png      ROOT/train/images/*.png   ROOT/train/masks/*.png
ROOT/test/CLASS/*.png       ROOT/test/images/*.png    ROOT/test/masks/*.png
                            ROOT/classes.txt          (a name a line; optional)

ROOT/CLASS/*.png            ROOT/images/*.png         ROOT/masks/*.png
```

Without a test split a fifth of the images is drawn for it, of each class by itself.
"""

from collections.abc import Mapping, Sequence
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
from tfelastic.data.resizing import Size, resize_mask, resize_picture
from tfelastic.errors import DataError

_TEST_NAMES = ("test", "validation", "val")
_SEGMENTATION = {"images", "masks"}
_TEST_SHARE = 0.2


def load_folder(path: Path, *, image_size: Size | None = None, seed: int = 0) -> Dataset:
    """Read a folder of images by class or with masks.

    The training split is `train`; the test split is `test`, `validation` or `val`, the first that
    is there. A folder that holds classes, or `images` and `masks`, itself or in `train` alone has no
    test split: a fifth of each class, or of the images with masks, becomes it.

    Images become grey where all of them are, RGB otherwise. A mask has its image's name, whatever the
    ending, and a class number per pixel. Hidden files and folders are left out.

    Args:
        path: The folder.
        image_size: (height, width) to resize every image to, whatever its proportions; needed where the sizes differ.
        seed: Says which images become the test split where there is none.

    Raises:
        DataError: A folder is missing or has no images, a class lacks images in a split, an image cannot be read or
            has no mask, sizes differ, there is one class only, or pillow is not installed.
    """
    splits = _split_folders(path)
    folders = {entry.name for entry in visible_entries(splits[0]) if entry.is_dir()}
    if folders == _SEGMENTATION:
        images, targets = _read_masks(splits, image_size)
        highest = max(int(target.max()) for target in targets)
        classes = _named_classes(path / "classes.txt", highest)
        strata = {splits[0] / "images": np.arange(len(targets[0]))}
    else:
        classes = _class_names(splits)
        images, targets = _read_classes(splits, classes, image_size)
        strata = {
            splits[0] / name: np.flatnonzero(targets[0] == label)
            for label, name in enumerate(classes)
        }
    drawn = len(splits) == 1
    if drawn:
        chosen = _drawn(strata, seed=seed)
        rest = np.setdiff1d(np.arange(len(images[0])), chosen)
        images, targets = ([each[0][rest], each[0][chosen]] for each in (images, targets))
    train, test = (Split(*pair) for pair in zip(images, targets, strict=True))
    return Dataset(
        name=path.resolve().name, classes=classes, train=train, test=test, test_drawn=drawn
    )


def _split_folders(path: Path) -> tuple[Path, ...]:
    """Return the folders of the training and of the test split; one where there is no test split."""
    folders = [entry.name for entry in visible_entries(path) if entry.is_dir()]
    test = next((name for name in _TEST_NAMES if name in folders), None)
    if "train" in folders and test is not None:
        return path / "train", path / test
    if folders == ["train"]:
        return (path / "train",)
    if not folders or "train" in folders or test is not None:
        raise DataError(
            f"{path} must hold one folder of images per class, or 'images' and 'masks'; or these in the folders "
            f"'train' and 'test' (or 'validation'); it holds {_listing(path)}"
        )
    return (path,)


def _class_names(splits: Sequence[Path]) -> tuple[str, ...]:
    classes = _classes(splits[0])
    for folder in splits[1:]:
        tested = _classes(folder)
        if unknown := sorted(set(tested) - set(classes)):
            raise DataError(
                f"{folder} has the class {unknown[0]!r}, which {splits[0]} lacks; "
                f"the classes are {', '.join(classes)}"
            )
        if missing := sorted(set(classes) - set(tested)):
            raise DataError(
                f"{folder} lacks the class {missing[0]!r}, so nothing would tell how well it is recognized; add "
                "images of it, or remove it from the training images"
            )
    if len(classes) < 2:
        raise DataError(
            f"{splits[0]} has one class only, {classes[0]!r}: there is nothing to tell apart"
        )
    return classes


def _read_classes(
    splits: Sequence[Path], classes: Sequence[str], size: Size | None
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return each split's images and labels."""
    pictures, labels = [], []
    for root in splits:
        files = [
            (file, label) for label, name in enumerate(classes) for file in _files(root / name)
        ]
        pictures.append([_picture(file, size) for file, _ in files])
        labels.append(np.array([label for _, label in files]))
    return _stacked(pictures, splits), labels


def _read_masks(
    splits: Sequence[Path], size: Size | None
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return each split's images and masks."""
    pictures, masks = [], []
    for root in splits:
        files = _files(root / "images")
        paired = [_mask_of(file, root / "masks") for file in files]
        pictures.append([_picture(file, size) for file in files])
        masks.append([_mask(file, size) for file in paired])
        for file, picture, mask in zip(files, pictures[-1], masks[-1], strict=True):
            if picture.size != mask.size:
                raise DataError(
                    f"the image {file} is {picture.size} but its mask {mask.size} (width, height)"
                )
    return _stacked(pictures, splits), [
        np.stack([np.asarray(mask) for mask in each]) for each in masks
    ]


def _drawn(members: Mapping[Path, np.ndarray], *, seed: int) -> np.ndarray:
    """Return which examples are drawn for testing, ascending: a fifth of each folder's, at least one."""
    random = np.random.default_rng(seed)
    chosen = []
    for folder, positions in members.items():
        if len(positions) < 2:
            raise DataError(
                f"{folder} has one image only, and some are needed to train with and some to test with; add images"
            )
        count = max(1, round(_TEST_SHARE * len(positions)))
        chosen.append(random.permutation(positions)[:count])
    return np.sort(np.concatenate(chosen))


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


def _picture(file: Path, size: Size | None) -> Any:
    picture = read_picture(file)
    return picture if size is None else resize_picture(picture, size)


def _mask(file: Path, size: Size | None) -> Any:
    mask = read_mask(file)
    return mask if size is None else resize_mask(mask, size)


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


def _stacked(splits: list[list[Any]], roots: Sequence[Path]) -> list[np.ndarray]:
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
