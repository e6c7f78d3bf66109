"""`RungView`: one width of an elastic network, run on slices of the shared variables."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfelastic.plan import Selection
from tfelastic.surgery import Slice, build

# Below this a width's factor on a BatchNorm scale would silence the channel and could never come back.
SMALLEST_FACTOR = 1e-3


@keras.saving.register_keras_serializable("tfelastic")
class Positive(keras.constraints.Constraint):
    """Keeps a width's factor on the shared scale positive, so that both have the same sign."""

    def __call__(self, value: Any) -> Any:
        """Return `value` raised to the smallest factor where it is less."""
        return ops.maximum(value, SMALLEST_FACTOR)


class RungView(keras.Model):
    """One width of an elastic network as a model of its own, with no copy of the shared weights.

    It is the pruned model's structure, run on slices of the widest model's variables: kernels are shared, so a
    view reads the leading part of each; biases, BatchNorm shifts and statistics belong to the view; a BatchNorm
    scale is the shared one times a positive factor of the view's own.

    Args:
        base: The widest model, whose variables are shared.
        selection: What the view keeps of it.
        name: The rung's name.
    """

    def __init__(self, base: keras.Model, selection: Selection, *, name: str) -> None:
        super().__init__(name=name)
        self.base = base
        template, slices = build(selection)
        self._plumbing = _Plumbing(template, [_Pipe(piece, self._own(piece)) for piece in slices])
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Nothing is left to build."""
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return what the pruned model returns for `inputs`."""
        template = self._plumbing.template
        values = {id(pipe.piece.variable): pipe.value() for pipe in self._plumbing.pipes}
        outputs, updates = template.stateless_call(
            [values[id(variable)] for variable in template.trainable_variables],
            [values[id(variable)] for variable in template.non_trainable_variables],
            inputs,
            training=bool(training),
        )
        if training:
            after = dict(zip(map(id, template.non_trainable_variables), updates, strict=True))
            for pipe in self._plumbing.pipes:
                if pipe.own is not None and not pipe.scales and not pipe.piece.variable.trainable:
                    pipe.own.assign(after[id(pipe.piece.variable)])
        return outputs

    @property
    def statistics(self) -> list[keras.Variable]:
        """The view's own running statistics."""
        pipes = self._plumbing.pipes
        return [p.own for p in pipes if p.own is not None and p.piece.role == "statistic"]

    def fill(self, slices: Sequence[Slice]) -> None:
        """Give the variables of another copy of the view's structure the view's present values."""
        for pipe, piece in zip(self._plumbing.pipes, slices, strict=True):
            piece.variable.assign(ops.copy(pipe.value()))  # JAX may give a shared buffer away.

    def _own(self, piece: Slice) -> keras.Variable | None:
        scales = piece.role == "scale"
        if not scales and (
            piece.role not in ("shift", "statistic") and (piece.role or piece.source.trainable)
        ):
            return None
        own = self.add_weight(
            shape=piece.variable.shape,
            initializer="ones" if scales else "zeros",
            dtype=piece.variable.dtype,
            trainable=piece.source.trainable,
            constraint=Positive() if scales else None,
            name=piece.source.path.replace("/", "_") + ("_factor" if scales else ""),
        )
        if not scales:
            own.assign(piece.value())
        return own


class _Pipe:
    """Leads a value from the shared variables, or the view's own, to a variable of the view's structure."""

    def __init__(self, piece: Slice, own: keras.Variable | None) -> None:
        self.piece = piece
        self.own = own
        self.scales = piece.role == "scale"

    def value(self) -> Any:
        if self.own is not None and not self.scales:
            return self.own.value
        value = self.piece.source.value
        for axis, positions in self.piece.takes.items():
            value = _take(value, positions, axis)
        return value * self.own.value if self.own is not None else value


class _Plumbing:
    """Holds a view's structure where Keras does not look for layers, so its idle variables are nobody's weights."""

    def __init__(self, template: keras.Model, pipes: Sequence[_Pipe]) -> None:
        self.template = template
        self.pipes = tuple(pipes)


def _take(value: Any, positions: np.ndarray, axis: int) -> Any:
    if np.array_equal(positions, np.arange(len(positions))):
        return value[(slice(None),) * axis + (slice(0, len(positions)),)]
    return ops.take(value, positions, axis=axis)
