"""`build_abstract`: a pruned model's structure whose variables have shapes, but no values and no memory.

A rung runs such a structure through `stateless_call` on values that live elsewhere. Keras leaves variables without
values when a `StatelessScope` says so, but keeps a list of them and fills them in when the next scope ends. This is
the one place that touches that list, Keras' private `uninitialized_variables`: it restores the list as it was.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras.src.backend.common import global_state

from tfelastic._plan import Selection
from tfelastic.surgery import Slice, build

_UNINITIALIZED = "uninitialized_variables"


def build_abstract(selection: Selection) -> tuple[keras.Model, list[Slice]]:
    """Return the pruned model's structure without values, and where the values of its variables come from.

    The model cannot be called; run it with `stateless_call`. Layers whose state is more than their weights (an
    adapted Normalization) are the original's own.
    """
    before: list[Any] = list(global_state.get_global_attribute(_UNINITIALIZED) or ())
    try:
        with keras.StatelessScope(initialize_variables=False):
            return build(selection, share_hidden_state=True)
    finally:
        global_state.set_global_attribute(_UNINITIALIZED, before)


def measure_frozen_statistics(model: keras.Model, slices: Sequence[Slice]) -> None:
    """Let frozen BatchNorms of a narrower rung's structure use and average their batches' statistics in training.

    The statistics of the layer that was frozen are those of all its channels' inputs; in a narrower rung other values
    come in. Scales and shifts stay as untrained as they were, since their own variables are.
    """
    statistics = {id(piece.variable) for piece in slices if piece.role == "statistic"}
    for layer in _leaf_layers(model):
        if not layer.trainable and any(id(each) in statistics for each in layer.variables):
            layer.trainable = True


def _leaf_layers(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaf_layers(layer)
        else:
            yield layer
