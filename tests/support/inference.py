"""Random inputs, and a model's outputs for them."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops


def random_inputs(model: keras.Model, seed: int = 0, *, count: int = 2) -> list[np.ndarray]:
    """Return one array `[count, ...]` for each input of `model`."""
    rng = np.random.default_rng(seed)
    return [
        rng.normal(0, 1, (count, *tensor.shape[1:])).astype(tensor.dtype) for tensor in model.inputs
    ]


def run(model: keras.Model, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return a model's outputs at inference, flattened to a list."""
    # A rung takes what the network takes that it is a view of.
    values = keras.tree.pack_sequence_as(getattr(model, "base", model).input, list(inputs))
    outputs = keras.tree.flatten(model(values, training=False))
    return [ops.convert_to_numpy(output) for output in outputs]
