"""One function for every source of data."""

import dataclasses
import os
from pathlib import Path

from tfelastic.data.base import Dataset, limited
from tfelastic.data.digits import load_digits
from tfelastic.data.folder import load_folder
from tfelastic.data.resize import check_size
from tfelastic.data.tfds import is_prepared, load_named, load_prepared
from tfelastic.errors import DataError

_TFDS = "tfds:"


def load(
    source: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    limit: int | None = None,
    name: str | None = None,
    seed: int = 0,
) -> Dataset:
    """Load labelled images into memory.

    | source | is |
    |---|---|
    | "digits" | scikit-learn's 1,797 handwritten digits, enlarged to 32x32; half are the test split
    |
    | a directory with a dataset_info.json | data that tfds has prepared |
    | any other directory | an image folder, `train/CLASS/*.png` and `test/CLASS/*.png` |
    | "tfds:NAME", or NAME alone | a data set of tfds, downloaded where it is not prepared yet |

    Args:
        source: Where the images come from.
        data_dir: Where tfds keeps its data; used for data sets named by tfds alone.
        image_size: Pixels per side; every image is squeezed to that square.
        limit: Keep so many training images, all classes in proportion.
        name: What tables shall call the data, where the source's own name will not do.
        seed: Says which images `limit` keeps, and which digits are the test split.

    Raises:
        DataError: The source is missing or unknown, an image or label is malformed, a package that
            it needs is not installed, or `limit` or `image_size` makes no sense.

    Example:
        >>> load("digits", limit=100).train.images.shape
        (100, 32, 32, 1)
    """
    check_size(image_size)
    dataset = _load(source, data_dir=data_dir, image_size=image_size, seed=seed)
    if limit is not None:
        dataset = dataclasses.replace(dataset, train=limited(dataset.train, limit, seed=seed))
    return dataset if name is None else dataclasses.replace(dataset, name=name)


def _load(
    source: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None,
    image_size: int | None,
    seed: int,
) -> Dataset:
    text = os.fspath(source)
    if text == "digits":
        return load_digits(image_size=image_size, seed=seed)
    if text.startswith(_TFDS):
        return load_named(text.removeprefix(_TFDS), data_dir=data_dir, image_size=image_size)
    path = Path(text).expanduser()
    if path.is_dir():
        read = load_prepared if is_prepared(path) else load_folder
        return read(path, image_size=image_size)
    if path.exists():
        raise DataError(f"{text} is a file; expected a prepared tfds directory or an image folder")
    if isinstance(source, os.PathLike) or path.name != text:
        raise DataError(
            f"the directory {text} does not exist; expected a prepared tfds directory or an image "
            f"folder (for a data set of tfds write 'tfds:NAME')"
        )
    return load_named(text, data_dir=data_dir, image_size=image_size)
