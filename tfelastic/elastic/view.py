"""`RungView`: one width of an elastic network, run on slices of the shared variables."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from tfelastic.elastic.idle import build_idle
from tfelastic.plan import Selection
from tfelastic.surgery import Slice
from tfelastic.training import recalibrate

# Below this a width's own part of a BatchNorm scale would silence the channel and could never come back.
SMALLEST_FACTOR = 1e-3

# Whether a rung's scales are the shared ones times factors of its own, or have only their signs in common.
Scales = Literal["factors", "own"]


@keras.saving.register_keras_serializable("tfelastic")
class Positive(keras.constraints.Constraint):
    """Keeps a width's own part of a scale positive, so that all widths' scales have the same sign."""

    def __call__(self, value: Any) -> Any:
        """Return `value` raised to the smallest factor where it is less."""
        return ops.maximum(value, SMALLEST_FACTOR)


class RungView(keras.Model):
    """One width of an elastic network as a model of its own, with no copy of the shared weights.

    It is the pruned model's structure, run on slices of the widest model's variables: kernels are shared, so a
    view reads the leading part of each; biases, BatchNorm shifts and statistics belong to the view; a BatchNorm
    scale is the shared one times a positive factor of the view's own, or the view's own size with the shared sign.

    Args:
        base: The widest model, whose variables are shared.
        selection: What the view keeps of it.
        scales: What of a BatchNorm scale is the view's own.
        name: The rung's name.
    """

    def __init__(
        self, base: keras.Model, selection: Selection, *, scales: Scales = "factors", name: str
    ) -> None:
        # Values pass through in full precision; the layers of the structure cast them as their policies say.
        super().__init__(name=name, autocast=False, dtype=keras.config.floatx())
        self.base = base
        self._scales = scales
        template, slices = build_idle(selection)
        pipes = [_Pipe(piece, self._own(piece), scales) for piece in slices]
        self._plumbing = _Plumbing(template, pipes)
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Nothing is left to build."""
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return what the pruned model returns for `inputs`."""
        outputs, updates = self.run(inputs, training=bool(training))
        for variable, value in zip(self.updated, updates, strict=True):
            variable.assign(value)
        return outputs

    def run(self, inputs: Any, *, training: bool) -> tuple[Any, list[Any]]:
        """Return the outputs, and what each of the `updated` variables becomes; nothing is changed."""
        template, pipes = self._plumbing.template, self._plumbing.pipes
        values = {id(pipe.piece.variable): pipe.value() for pipe in pipes}
        outputs, updates = template.stateless_call(
            [values[id(variable)] for variable in template.trainable_variables],
            [values[id(variable)] for variable in template.non_trainable_variables],
            inputs,
            training=training,
        )
        after = dict(zip(map(id, template.non_trainable_variables), updates, strict=True))
        return outputs, [after[id(pipe.piece.variable)] for pipe in pipes if pipe.moves]

    @property
    def updated(self) -> list[keras.Variable]:
        """The view's own variables that running it in training changes: statistics and random states."""
        return [pipe.own for pipe in self._plumbing.pipes if pipe.own is not None and pipe.moves]

    @property
    def statistics(self) -> list[keras.Variable]:
        """The view's own running statistics."""
        pipes = self._plumbing.pipes
        return [p.own for p in pipes if p.own is not None and p.piece.role == "statistic"]

    @property
    def own(self) -> dict[int, keras.Variable]:
        """The view's own variables by the `id` of the variable of the widest model that each stands for."""
        pipes = self._plumbing.pipes
        return {id(pipe.piece.source): pipe.own for pipe in pipes if pipe.own is not None}

    @property
    def pieces(self) -> dict[int, Slice]:
        """Where the view's own variables lie in the widest model's, by the same keys as `own`."""
        pipes = self._plumbing.pipes
        return {id(pipe.piece.source): pipe.piece for pipe in pipes if pipe.own is not None}

    def recalibrate(self, images: np.ndarray, *, batch_size: int = 128) -> None:
        """Measure the view's own BatchNorm statistics anew on `images`, `[count, height, width, channels]`."""
        recalibrate(self, images, batch_size=batch_size, statistics=self.statistics)

    def fill(self, slices: Sequence[Slice]) -> None:
        """Give the variables of another copy of the view's structure the view's present values."""
        for pipe, piece in zip(self._plumbing.pipes, slices, strict=True):
            piece.variable.assign(ops.copy(pipe.value()))  # JAX may give a shared buffer away.

    def _own(self, piece: Slice) -> keras.Variable | None:
        if not owned(piece):
            return None
        scale = piece.role == "scale"
        factor = scale and self._scales == "factors"
        own = self.add_weight(
            shape=piece.variable.shape,
            initializer="zeros",
            dtype=piece.variable.dtype,
            trainable=piece.source.trainable,
            constraint=Positive() if scale else None,
            name=piece.source.path.replace("/", "_") + ("_factor" if factor else ""),
        )
        own.assign(self.as_own(piece))
        return own

    def as_own(self, piece: Slice) -> np.ndarray:
        """Return what the view's own variable for `piece` is where the view does as the widest model does."""
        value = piece.value()
        if piece.role != "scale":
            return value
        return np.ones_like(value) if self._scales == "factors" else np.abs(value)


def owned(piece: Slice) -> bool:
    """Return whether a rung has a variable of its own for `piece`: all but kernels and what is frozen with them."""
    if piece.role is None:
        return not piece.source.trainable
    return piece.role in ("scale", "shift", "statistic")


def sign_of(value: Any) -> Any:
    """Return -1 where `value` is negative and 1 elsewhere."""
    return ops.where(value < 0, -ops.ones_like(value), ops.ones_like(value))


class _Pipe:
    """Leads a value from the shared variables, or the view's own, to a variable of the view's structure."""

    def __init__(self, piece: Slice, own: keras.Variable | None, scales: Scales) -> None:
        self.piece = piece
        self.own = own
        self._scales = scales

    @property
    def moves(self) -> bool:
        """Whether training changes the view's own variable by running, not by its gradient."""
        scale = self.piece.role == "scale"
        return self.own is not None and not scale and not self.piece.variable.trainable

    def value(self) -> Any:
        scale = self.piece.role == "scale"
        if self.own is not None and not scale:
            return self.own.value
        value = self.piece.source.value
        for axis, positions in self.piece.takes.items():
            value = _take(value, positions, axis)
        if self.own is None:
            return value
        return (value if self._scales == "factors" else sign_of(value)) * self.own.value


class _Plumbing:
    """Holds a view's structure where Keras does not look for layers, so its idle variables are nobody's weights."""

    def __init__(self, template: keras.Model, pipes: Sequence[_Pipe]) -> None:
        self.template = template
        self.pipes = tuple(pipes)


def _take(value: Any, positions: np.ndarray, axis: int) -> Any:
    if np.array_equal(positions, np.arange(len(positions))):
        return value[(slice(None),) * axis + (slice(0, len(positions)),)]
    return ops.take(value, positions, axis=axis)
