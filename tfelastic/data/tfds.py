"""Data sets of TensorFlow Datasets: by name, downloaded where there is a network, or prepared."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfelastic.data.base import Dataset, Split
from tfelastic.data.extras import require
from tfelastic.data.resize import squeeze
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


def load_prepared(path: Path, *, image_size: int | None = None) -> Dataset:
    """Read a directory that tfds has prepared (it holds dataset_info.json), without a network.

    Raises:
        DataError: The directory cannot be read, it holds no labelled images, or tfds is missing.
    """
    tfds = _tfds()
    with _blaming(f"{path} is no readable tfds directory"):
        return _read(tfds.builder_from_directory(os.fspath(path)), image_size)


def load_named(
    name: str, *, data_dir: str | os.PathLike[str] | None = None, image_size: int | None = None
) -> Dataset:
    """Read a data set by its name in tfds; download and prepare it first where that is needed.

    Args:
        name: Such as "cifar10".
        data_dir: Where prepared data lie, or shall lie; tfds' own default unless told.
        image_size: Pixels per side to squeeze every image to; needed where the sizes differ.

    Raises:
        DataError: tfds does not know the name, cannot download it, or is missing; or the data are
            not labelled images.
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
        return _read(builder, image_size)


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


def _read(builder: Any, image_size: int | None) -> Dataset:
    info = builder.info
    test_name = next((name for name in _TEST_NAMES if name in info.splits), None)
    if "train" not in info.splits or test_name is None:
        raise DataError(
            f"{info.name} must have the splits 'train' and 'test' (or 'validation'), "
            f"it has {', '.join(info.splits) or 'none'}"
        )
    if info.supervised_keys is None or len(info.supervised_keys) != 2:
        raise DataError(f"{info.name} is no data set of images with one label each")
    image_key, label_key = info.supervised_keys
    classes = tuple(getattr(info.features[label_key], "names", ()))
    if not classes or len(info.features[image_key].shape or ()) != 3:
        raise DataError(
            f"{info.name} is no data set of images with one label each: {image_key!r} is "
            f"{info.features[image_key]} and {label_key!r} is {info.features[label_key]}"
        )
    name = _TITLES.get(info.name, info.name)
    if image_size is not None and info.features[image_key].shape[:2] != (image_size, image_size):
        name = f"{name}, at {image_size}x{image_size}"
    return Dataset(
        name=name,
        classes=classes,
        train=_split(builder, "train", image_key, image_size),
        test=_split(builder, test_name, image_key, image_size),
    )


def _split(builder: Any, name: str, image_key: str, image_size: int | None) -> Split:
    varies = None in builder.info.features[image_key].shape
    if varies and image_size is None:
        raise DataError(
            f"the images of {builder.info.name} differ in size; give an image_size to squeeze to"
        )
    images, labels = [], []
    for image, label in _examples(builder, name, in_batches=not varies):
        images.append(image if image_size is None else squeeze(image, image_size))
        labels.append(label)
    if not images:
        raise DataError(f"the {name} split of {builder.info.name} is empty")
    return Split(np.stack(images), np.array(labels))


def _examples(builder: Any, name: str, *, in_batches: bool) -> Iterator[tuple[np.ndarray, int]]:
    """Yield (image, label) in the order of the files."""
    examples = builder.as_dataset(split=name, as_supervised=True, shuffle_files=False)
    if not in_batches:
        yield from examples.as_numpy_iterator()
        return
    # One trip from TensorFlow to numpy for a batch, not for an image: several times as fast.
    for images, labels in examples.batch(_BATCH).as_numpy_iterator():
        yield from zip(images, labels, strict=True)
