"""`RungStructure`: a pruned model's structure, run on the values that its weight sources give."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import keras

from tfelastic.elastic.weight_source import WeightSource
from tfelastic.surgery import Slice
from tfelastic.training import avoid_onednn_crash


class Run(NamedTuple):
    """What one run of a structure gives; nothing is changed by it.

    Attributes:
        outputs: The outputs, structured as the model's.
        updates: What each of the structure's `updated` variables becomes.
        losses: What layers add to the loss.
    """

    outputs: Any
    updates: list[Any]
    losses: list[Any]


class RungStructure:
    """A rung's layers without values, and where the values come from.

    Args:
        model: The structure, made by `build_abstract`.
        sources: A source for each of its variables.
    """

    def __init__(self, model: keras.Model, sources: Sequence[WeightSource]) -> None:
        self.model = model
        self.sources = tuple(sources)

    @property
    def updated(self) -> list[keras.Variable]:
        """The rung's own variables that a call in training changes: statistics and random states."""
        return [s.own for s in self.sources if s.own is not None and s.updated]

    @property
    def statistics(self) -> list[keras.Variable]:
        """The rung's own running statistics."""
        return [s.own for s in self.sources if s.own is not None and s.slice.role == "statistic"]

    def run(self, inputs: Any, *, training: bool) -> Run:
        """Run the layers on `inputs`."""
        values = {id(source.slice.variable): source.value() for source in self.sources}
        with avoid_onednn_crash(self.model) if training else nullcontext():
            outputs, after, losses = self.model.stateless_call(
                [values[id(variable)] for variable in self.model.trainable_variables],
                [values[id(variable)] for variable in self.model.non_trainable_variables],
                inputs,
                training=training,
                return_losses=True,
            )
        changed = dict(zip(map(id, self.model.non_trainable_variables), after, strict=True))
        updates = [
            changed[id(source.slice.variable)]
            for source in self.sources
            if source.own is not None and source.updated
        ]
        return Run(outputs, updates, losses)


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
