"""A net and data so small that what surrounds the computing is most of the work."""

from pathlib import Path

import keras
import numpy as np
import pytest


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `net.keras` and `data.npz`."""
    folder = tmp_path_factory.mktemp("inputs")
    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(2)]
    )
    net.save(folder / "net.keras")
    values = np.random.default_rng(0).normal(size=(80, 6)).astype(np.float32)
    labels = (values.sum(axis=1) > 0).astype(np.int64)
    np.savez(folder / "data.npz", x=values, y=labels)
    return folder
