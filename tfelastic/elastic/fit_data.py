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


def some_samples(data: Any, *, count: int) -> Any:
    """Return up to `count` samples' inputs, nested as the model takes them, drawn alike every time."""
    parts: list[Any] = []
    length = 0
    for part in _inputs(data):
        parts.append(keras.tree.map_structure(ops.convert_to_numpy, part))
        length += len(keras.tree.flatten(parts[-1])[0])
        if length >= count:
            break
    order = np.random.default_rng(0).permutation(length)[:count]
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays)[order], *parts)


def _inputs(data: Any) -> Iterator[Any]:
    if isinstance(data, tuple):
        return iter(data[:1])
    if isinstance(data, keras.utils.PyDataset):
        batches: Any = (data[index] for index in range(len(data)))
    else:
        batches = data
    return (keras.utils.unpack_x_y_sample_weight(batch)[0] for batch in batches)
