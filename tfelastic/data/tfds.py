"""Data sets of TensorFlow Datasets: by name, downloaded where there is a network, or prepared."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfelastic.data.dataset import Dataset, Split
from tfelastic.data.extras import require
from tfelastic.data.resizing import Size, resize
from tfelastic.errors import DataError

# Every prepared directory holds this file.
_INFO = "dataset_info.json"
_TEST_NAMES = ("test", "validation")
_BATCH = 1024

# What to call data in tables where tfds' own name says less than the truth, or is no proper name.
_TITLES = {
    "cifar10": "CIFAR-10",
    "cifar10_jpeg75": "CIFAR-10 (JPEG q75)",
    "cifar100": "CIFAR-100",
    "fashion_mnist": "Fashion-MNIST",
    "fashion_mnist_png": "Fashion-MNIST",
    "imagenette_96px": "Imagenette (squeezed to 96x96, JPEG q90)",
    "mnist": "MNIST",
}


def is_prepared(path: Path) -> bool:
    """Return whether `path` is a directory that tfds has prepared."""
    return (path / _INFO).is_file()


def load_prepared(
    path: Path, *, image_size: Size | None = None, features: Sequence[str] | None = None
) -> Dataset:
    """Read a directory that tfds has prepared (it holds dataset_info.json), without a network.

    Raises:
        DataError: The directory cannot be read, its examples are not of one shape, or tfds is missing.
    """
    tfds = _tfds()
    with _blaming(f"{path} is no readable tfds directory"):
        return _read(tfds.builder_from_directory(os.fspath(path)), image_size, features)


def load_named(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: Size | None = None,
    features: Sequence[str] | None = None,
) -> Dataset:
    """Read a data set by its name in tfds; download and prepare it first where that is needed.

    Args:
        name: Such as "cifar10".
        data_dir: Where prepared data lie, or shall lie; tfds' own default unless given.
        image_size: (height, width) to resize every image to, whatever its proportions; needed where the sizes differ.
        features: The input's and the target's feature, where they are not the data set's `supervised_keys`.

    Raises:
        DataError: tfds does not know the name, cannot download it, or is missing; or the
            examples are not of one shape.
    """
    tfds = _tfds()
    try:
        builder = tfds.builder(name, data_dir=None if data_dir is None else os.fspath(data_dir))
    except tfds.core.registered.DatasetNotFoundError as error:
        raise DataError(
            f"{name!r} is neither a data set that tfds knows nor a directory; give 'digits', a "
            f"tfds name, a prepared tfds directory or an image folder"
        ) from error
    with _blaming(
        f"cannot download and read {name!r}; prepare it where there is a network and give its "
        f"directory"
    ):
        builder.download_and_prepare()
        return _read(builder, image_size, features)


@contextlib.contextmanager
def _blaming(complaint: str) -> Iterator[None]:
    """Turn every error into a DataError that begins with the complaint.

    Every one, since tfds lets those of its transports, of protobuf and of TensorFlow through.
    """
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{complaint}: {type(error).__name__}: {error}") from error


def _tfds() -> Any:
    return require("tensorflow_datasets", extra="tensorflow,tfds", purpose="a tfds data set")


def _read(builder: Any, image_size: Size | None, features: Sequence[str] | None) -> Dataset:
    info = builder.info
    test_name = next((name for name in _TEST_NAMES if name in info.splits), None)
    if "train" not in info.splits or test_name is None:
        raise DataError(
            f"{info.name} must have the splits 'train' and 'test' (or 'validation'), "
            f"it has {', '.join(info.splits) or 'none'}"
        )
    keys = _keys(info, features)
    image = info.features[keys[0]]
    pictures = len(image.shape or ()) == 3 and image.np_dtype == np.uint8
    if image_size is not None and not pictures:
        raise DataError(f"image_size does not apply to {info.name}: {keys[0]!r} is {image}")
    name = _TITLES.get(info.name, info.name)
    if image_size is not None and image.shape[:2] != image_size:
        name = f"{name}, at {image_size[0]}x{image_size[1]}"
    return Dataset(
        name=name,
        classes=_classes(info.features[keys[1]]),
        train=_split(builder, "train", keys, image_size),
        test=_split(builder, test_name, keys, image_size),
    )


def _keys(info: Any, features: Sequence[str] | None) -> tuple[str, str]:
    """Return the names of the input's and the target's feature."""
    given = features if features is not None else info.supervised_keys
    known = ", ".join(info.features)
    if given is None or len(given) != 2:
        raise DataError(
            f"{info.name} does not say which of its features are input and target; name two of {known} as features"
        )
    if unknown := [key for key in given if key not in info.features]:
        raise DataError(f"{info.name} has no feature {unknown[0]!r}; it has {known}")
    for key in given:
        if info.features[key].np_dtype is None or not np.issubdtype(
            info.features[key].np_dtype, np.number
        ):
            raise DataError(f"{info.name}: expected numbers, and {key!r} is {info.features[key]}")
    return given[0], given[1]


def _classes(target: Any) -> tuple[str, ...]:
    return tuple(getattr(target, "names", None) or ())


def _split(builder: Any, name: str, keys: tuple[str, str], image_size: Size | None) -> Split:
    varies = any(None in (builder.info.features[key].shape or ()) for key in keys)
    if varies and image_size is None:
        raise DataError(
            f"the examples of {builder.info.name} differ in size; give an image_size to resize them to"
        )
    mask = len(builder.info.features[keys[1]].shape or ()) == 3
    inputs, targets = [], []
    for image, target in _examples(builder, name, keys, in_batches=not varies):
        inputs.append(image if image_size is None else resize(image, image_size))
        targets.append(
            target if image_size is None or not mask else _resized_mask(target, image_size)
        )
    if not inputs:
        raise DataError(f"the {name} split of {builder.info.name} is empty")
    stacked = np.stack(targets)
    # One class number per pixel comes with an axis of its own.
    return Split(np.stack(inputs), stacked[..., 0] if mask and stacked.shape[-1] == 1 else stacked)


def _resized_mask(mask: np.ndarray, size: Size) -> np.ndarray:
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(size, mask.shape[:2], strict=True)
    )
    return mask[rows][:, columns]


def _examples(
    builder: Any, name: str, keys: tuple[str, str], *, in_batches: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (input, target) in the order of the files."""
    examples = builder.as_dataset(split=name, shuffle_files=False)
    examples = examples.map(lambda example: (example[keys[0]], example[keys[1]]))
    if not in_batches:
        yield from examples.as_numpy_iterator()
        return
    # One trip from TensorFlow to numpy for a batch, not for an example: several times as fast.
    for inputs, targets in examples.batch(_BATCH).as_numpy_iterator():
        yield from zip(inputs, targets, strict=True)
