"""Any Python object with `train` and `test` as a data set.

A split is a `Split`, a pair `(inputs, targets)`, or an object or a dict that names them `inputs` and `targets`,
`images` and `labels`, or `x` and `y`. The object may also have a `name` and `classes`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfelastic.data.dataset import Arrays, Dataset, Split
from tfelastic.errors import DataError

_SIDES = (("inputs", "targets"), ("images", "labels"), ("x", "y"))


def load_object(source: Any) -> Dataset:
    """Return an object's splits as a data set.

    Raises:
        DataError: The object lacks a split, a split lacks inputs or targets, or their values do not fit.
    """
    if isinstance(source, Dataset):
        return source
    kind = type(source).__name__
    splits = {}
    for split in ("train", "test"):
        given = _get(source, split)
        if given is None:
            raise DataError(
                f"data of type {kind} need a {split!r} split: give an object or a dict with 'train' and 'test', or "
                "the name of a source"
            )
        splits[split] = _split(given, f"split {split!r} of {kind}")
    name = _get(source, "name")
    name = name if isinstance(name, str) and name else kind
    classes = _classes(_get(source, "classes"))
    return Dataset(name, classes, splits["train"], splits["test"])


def _split(given: Any, what: str) -> Split:
    if isinstance(given, Split):
        return given
    if isinstance(given, tuple | list) and len(given) == 2:
        return Split(*map(_arrays, given))
    for inputs, targets in _SIDES:
        pair = _get(given, inputs), _get(given, targets)
        if pair[0] is not None and pair[1] is not None:
            return Split(*map(_arrays, pair))
    raise DataError(
        f"{what} must be a pair (inputs, targets), or have 'inputs' and 'targets', 'images' and 'labels', or 'x' and "
        f"'y'; received {type(given).__name__}"
    )


def _arrays(given: Any) -> Arrays:
    if isinstance(given, Mapping):
        return {str(name): np.asarray(array) for name, array in given.items()}
    return np.asarray(given)


def _classes(given: Any) -> Any:
    if given is None:
        return ()
    if isinstance(given, Mapping):
        return {str(name): tuple(map(str, names)) for name, names in given.items()}
    return tuple(map(str, given))


def _get(source: Any, name: str) -> Any:
    return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
