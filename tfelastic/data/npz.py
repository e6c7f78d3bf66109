"""Arrays in one `.npz` file: `x`, `y` and, for testing, `x_test`, `y_test`.

Several inputs or outputs have their names behind a slash: `x/audio`, `x/motion`, `y/gesture`, `x_test/audio` and so
on. `classes` names the classes of `y`, `classes/gesture` those of one of several targets.
"""

import zipfile
from pathlib import Path

import numpy as np

from tfelastic.data.dataset import Arrays, Dataset, Split, arrays_of, halved
from tfelastic.errors import DataError

_KEYS = ("x", "y", "x_test", "y_test", "classes")


def load_npz(path: Path, *, seed: int = 0) -> Dataset:
    """Read a data set from a `.npz` file; without test arrays a fifth of the examples become the test split.

    Args:
        path: The file.
        seed: Says which examples become the test split where the file has none.

    Raises:
        DataError: The file is no `.npz`, holds Python objects, or lacks an array, or the arrays do not fit together.

    Examples:
        >>> np.savez("windows.npz", x=windows, y=gestures)
    """
    found = _read(path)
    if unknown := [key for key in found if key.partition("/")[0] not in _KEYS]:
        raise DataError(
            f"{path} holds the array {unknown[0]!r}; known are {', '.join(_KEYS)}, and NAME of several as x/NAME"
        )
    for key in ("x", "y"):
        if _collected(found, key) is None:
            raise DataError(
                f"{path} lacks the array {key!r}; it holds {', '.join(found) or 'nothing'}"
            )
    train = _split(found, "x", "y")
    tested = [_collected(found, key) is not None for key in ("x_test", "y_test")]
    if any(tested) and not all(tested):
        raise DataError(f"{path} must hold both 'x_test' and 'y_test', or neither")
    if all(tested):
        test = _split(found, "x_test", "y_test")
    else:
        train, test = halved(train, name=str(path), seed=seed)
    return Dataset(
        name=path.stem,
        classes=_classes(_collected(found, "classes"), train.targets),
        train=train,
        test=test,
        test_drawn=not all(tested),
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        # Opened here, since numpy leaves a damaged archive open.
        with open(path, "rb") as opened:
            file = np.load(opened, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(f"{path} holds a single array; expected a .npz with x and y")
            return {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"cannot read {path}: {error}; write it by numpy.savez, without Python objects"
        ) from error


def _split(found: dict[str, np.ndarray], x: str, y: str) -> Split:
    inputs, targets = _collected(found, x), _collected(found, y)
    assert inputs is not None
    assert targets is not None
    return Split(inputs, targets)


def _collected(found: dict[str, np.ndarray], key: str) -> Arrays | None:
    """Return the array `key`, or those named `key/NAME` as a dict."""
    several = {
        name.removeprefix(f"{key}/"): a for name, a in found.items() if name.startswith(f"{key}/")
    }
    if key in found and several:
        raise DataError(
            f"the file holds both {key!r} and {key + '/' + next(iter(several))!r}; leave one out"
        )
    return several or found.get(key)


def _classes(given: Arrays | None, targets: Arrays) -> tuple[str, ...] | dict[str, tuple[str, ...]]:
    """Return the classes' names; integers without names are numbered."""
    names = {} if given is None else {k: tuple(map(str, v)) for k, v in arrays_of(given).items()}
    for name, target in arrays_of(targets).items():
        if name not in names:
            names[name] = tuple(map(str, range(_class_count(target))))
    return names if set(names) != {""} else names[""]


def _class_count(target: np.ndarray) -> int:
    if target.dtype != np.int64:
        return 0
    # Rows of 0 and 1 have a column per class: one-hot, or several labels at once.
    columns = target.ndim == 2 and target.shape[1] > 1 and target.max() <= 1
    return target.shape[1] if columns else int(target.max()) + 1
