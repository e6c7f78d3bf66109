"""Training in mixed precision: layers compute in bfloat16; variables, outputs and saved nets stay float32."""

import contextlib
from collections.abc import Iterator
from typing import Literal

import keras

import tfelastic as te

Precision = Literal["float32", "mixed_bfloat16"]


@contextlib.contextmanager
def computing_in(precision: Precision, model: keras.Model) -> Iterator[None]:
    """Let a model's layers compute in a precision for as long as the context lasts.

    Layers that make the model's outputs stay in float32, so that losses and logits are; so do all variables, so that
    what is saved, evaluated or converted afterwards is a plain float32 net.
    """
    layers = [] if precision == "float32" else list(_hidden_layers(model))
    before = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer.dtype_policy = keras.DTypePolicy(precision)
        yield
    finally:
        for layer, policy in zip(layers, before, strict=True):
            layer.dtype_policy = policy


def _hidden_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yield the layers of a model and of all that is in it, but those that make its outputs."""
    for part in _parts(model):
        for layer in part.layers:
            if isinstance(layer, keras.Model):
                yield from _hidden_layers(layer)
            elif layer.name not in part.output_names:
                yield layer


def _parts(model: keras.Model) -> Iterator[keras.Model]:
    """Yield the functional models that a model runs."""
    if isinstance(model, te.ElasticModel):
        for name in model.names:
            yield from _parts(model.rung(name))
    elif isinstance(model, te.Student):
        yield from _parts(model.net)
        if model.teacher is not None:
            yield from _parts(model.teacher)
    elif hasattr(model, "structure"):  # A rung, run on slices of the shared weights.
        yield model.structure.model
    else:
        yield model
