"""Data in any of the forms that Keras' `fit` and `evaluate` take."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops


def as_arguments(data: Any) -> dict[str, Any]:
    """Return `data`, a tuple of arrays or a data set, as keyword arguments of `fit` and `evaluate`."""
    if isinstance(data, tuple):
        return dict(zip(("x", "y", "sample_weight"), data, strict=False))
    return {"x": data}


def start_at(data: Any, epoch: int) -> None:
    """Set a data set that has a `start_at` to the epoch with which its next pass begins."""
    if hasattr(data, "start_at"):
        data.start_at(epoch)


def some_images(data: Any, *, count: int) -> np.ndarray | None:
    """Return up to `count` images, drawn alike every time; `None` where there are several inputs."""
    parts: list[Any] = []
    for part in _inputs(data):
        if keras.tree.is_nested(part):
            return None
        parts.append(ops.convert_to_numpy(part))
        if sum(map(len, parts)) >= count:
            break
    found = np.concatenate(parts)
    return found[np.random.default_rng(0).permutation(len(found))[:count]]


def _inputs(data: Any) -> Iterator[Any]:
    if isinstance(data, tuple):
        return iter(data[:1])
    if isinstance(data, keras.utils.PyDataset):
        return (data[index][0] for index in range(len(data)))
    return (batch[0] for batch in data)
