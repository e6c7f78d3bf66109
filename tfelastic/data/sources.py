"""One function for every source of data."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfelastic.data.dataset import Dataset, limited
from tfelastic.data.digits import load_digits
from tfelastic.data.folder import load_folder
from tfelastic.data.npz import load_npz
from tfelastic.data.objects import load_object
from tfelastic.data.resizing import Size, size_of
from tfelastic.data.synthetic import load_synthetic
from tfelastic.data.tfds import is_prepared, load_named, load_prepared
from tfelastic.errors import DataError

_TFDS = "tfds:"
_SYNTHETIC = "synthetic:"


def load(
    source: Any,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | Sequence[int] | None = None,
    features: Sequence[str] | None = None,
    limit: int | None = None,
    name: str | None = None,
    seed: int = 0,
) -> Dataset:
    """Load examples and their targets into memory.

    | source | is |
    |---|---|
    | "digits" | scikit-learn's 1,797 handwritten digits, enlarged to 32x32; half are the test split |
    | "synthetic:NAME" | generated data, see `tfelastic/data/synthetic.py` |
    | a file that ends in .npz | arrays `x`, `y`, `x_test`, `y_test`, of any shape |
    | a directory with a dataset_info.json | data that tfds has prepared |
    | any other directory | images by class or with masks, in a training and a test split or in none, see
    `tfelastic/data/folder.py` |
    | "tfds:NAME", or NAME alone | a data set of tfds, downloaded where it is not prepared yet |
    | any Python object with `train` and `test` | two splits of arrays, see `tfelastic/data/objects.py` |

    Args:
        source: Where the examples come from.
        data_dir: Where tfds keeps its data; used for data sets named by tfds alone.
        image_size: Pixels per side of a square, or (height, width); every image is resized to that, whatever its
            proportions.
        features: The names of the input's and the target's feature in tfds, where they are not its `supervised_keys`.
        limit: Keep so many training examples, all classes in proportion.
        name: What tables shall call the data, where the source's own name will not do.
        seed: Says which examples `limit` keeps and which form a test split that the source does not have, and fixes
            generated data.

    Raises:
        DataError: The source is missing or unknown, an image or label is malformed, a package that
            it needs is not installed, or an argument does not fit the source.

    Examples:
        >>> load("digits", limit=100).train.images.shape
        (100, 32, 32, 1)
        >>> import numpy as np
        >>> readings = np.random.default_rng(0).normal(size=(8, 24, 3))
        >>> load({"train": (readings, np.arange(8) % 2), "test": (readings, np.arange(8) % 2)}).train.inputs.dtype
        dtype('float32')
    """
    size = size_of(image_size)
    if isinstance(source, str | os.PathLike):
        dataset = _load(source, data_dir=data_dir, image_size=size, features=features, seed=seed)
    else:
        _require_no_size(size, f"a {type(source).__name__}")
        dataset = load_object(source)
    if limit is not None:
        dataset = dataclasses.replace(dataset, train=limited(dataset.train, limit, seed=seed))
    return dataset if name is None else dataclasses.replace(dataset, name=name)


def _load(
    source: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None,
    image_size: Size | None,
    features: Sequence[str] | None,
    seed: int,
) -> Dataset:
    text = os.fspath(source)
    path = Path(text).expanduser()
    if text == "digits":
        return load_digits(image_size=image_size, seed=seed)
    if text.startswith(_SYNTHETIC):
        _require_no_size(image_size, text)
        return load_synthetic(text.removeprefix(_SYNTHETIC), seed=seed)
    if text.startswith(_TFDS):
        name = text.removeprefix(_TFDS)
        return load_named(name, data_dir=data_dir, image_size=image_size, features=features)
    if path.is_dir():
        if is_prepared(path):
            return load_prepared(path, image_size=image_size, features=features)
        return load_folder(path, image_size=image_size, seed=seed)
    if path.suffix == ".npz" and path.exists():
        _require_no_size(image_size, text)
        return load_npz(path, seed=seed)
    if path.exists():
        raise DataError(
            f"{text} is a file; expected a .npz file, a prepared tfds directory or an image folder"
        )
    if isinstance(source, os.PathLike) or path.name != text or path.suffix == ".npz":
        raise DataError(
            f"{text} does not exist; expected a .npz file, a prepared tfds directory or an image "
            f"folder (for a data set of tfds write 'tfds:NAME')"
        )
    return load_named(text, data_dir=data_dir, image_size=image_size, features=features)


def _require_no_size(image_size: Size | None, source: str) -> None:
    if image_size is not None:
        raise DataError(
            f"image_size does not apply to {source}, whose examples are taken as they are"
        )
