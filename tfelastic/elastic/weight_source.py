"""`WeightSource`: what value a variable of a rung takes.

| source | value | used for |
|---|---|---|
| `SharedWeight` | a slice of the widest model's variable | kernels |
| `OwnWeight` | a variable of the rung | biases, shifts, statistics, random states |
| `ScaledWeight` | a slice of the widest model's variable, or its sign, times a factor of the rung | scales |
| `PartlyFrozenWeight` | a constant block and trained slices around it | kernels while a level grows |
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from tfelastic.surgery import Slice

#: Below this a rung's own part of a BatchNorm scale would silence the channel and could never come back.
SMALLEST_FACTOR = 1e-3

#: Whether a rung's scales are the shared ones times factors of its own, or have only their signs in common.
Scales = Literal["factors", "own"]

#: Which positions of a variable are meant, an array per axis.
Positions = Sequence[np.ndarray]


@keras.saving.register_keras_serializable("tfelastic")
class Positive(keras.constraints.Constraint):
    """Keeps a rung's own part of a scale positive, so that all rungs' scales have the same sign."""

    def __call__(self, value: Any) -> Any:
        """Return `value` raised to the smallest factor where it is less."""
        return ops.maximum(value, SMALLEST_FACTOR)


class WeightSource(ABC):
    """Gives one variable of a rung its value.

    Attributes:
        slice: Where the variable lies in the widest model's.
        own: The variable that belongs to the rung alone; `None` where it has none.
    """

    slice: Slice
    own: Any = None

    @abstractmethod
    def value(self) -> Any:
        """Return the value, a tensor of the variable's shape."""

    @property
    def updated(self) -> bool:
        """Whether a call in training changes it, as it does statistics and random states."""
        return False


class SharedWeight(WeightSource):
    """A slice of the widest model's variable."""

    def __init__(self, piece: Slice) -> None:
        self.slice = piece

    def value(self) -> Any:
        """Return the slice, through which gradients reach the shared variable."""
        value = self.slice.source.value
        for axis, positions in self.slice.takes.items():
            value = _take(value, positions, axis)
        return value


class OwnWeight(WeightSource):
    """A variable of the rung alone.

    Args:
        rung: The layer that the variable is added to.
        piece: Where it lies in the widest model's.
        start: The value to start from.
    """

    def __init__(self, rung: keras.Layer, piece: Slice, start: np.ndarray) -> None:
        self.slice = piece
        self.own = add_variable(rung, piece, start, trainable=piece.source.trainable)

    @property
    def updated(self) -> bool:
        """Whether a call in training changes it, as it does statistics and random states."""
        return not self.slice.variable.trainable

    def value(self) -> Any:
        """Return the variable's value."""
        return self.own.value


class ScaledWeight(WeightSource):
    """A shared scale times a positive factor of the rung, or the rung's own size with the shared sign.

    Args:
        rung: The layer that the factor or size is added to.
        piece: Where the scale lies in the widest model's.
        start: The factor or size to start from.
        scales: Which of the two it is.
    """

    def __init__(
        self, rung: keras.Layer, piece: Slice, start: np.ndarray, *, scales: Scales
    ) -> None:
        self.slice = piece
        self._shared = SharedWeight(piece)
        self._scales = scales
        self.own = add_variable(
            rung,
            piece,
            start,
            ending="_factor" if scales == "factors" else "",
            trainable=piece.source.trainable,
            constraint=Positive(),
        )

    def value(self) -> Any:
        """Return the scale."""
        shared = self._shared.value()
        return (shared if self._scales == "factors" else _sign(shared)) * self.own.value


class PartlyFrozenWeight(WeightSource):
    """A kernel in growing: the narrower rung's block, which no optimizer knows, and trained slices around it.

    The slices follow axis by axis. For a kernel `[..., in, out]` the first holds all re-grown inputs, `[..., new
    inputs, all outputs]`, and the second what they leave of the re-grown outputs, `[..., old inputs, new outputs]`.

    Args:
        rung: The layer that the variables are added to.
        piece: Where the kernel lies in the widest model's.
        block: Where in the kernel the narrower rung's block lies; `None` where it has none, so that all is trained.
    """

    def __init__(self, rung: keras.Layer, piece: Slice, block: Positions | None) -> None:
        self.slice = piece
        value = piece.value()
        everything = [np.arange(length) for length in value.shape]
        if not piece.source.trainable:
            block = everything
        old = everything if block is None else block
        self._trained = []
        for axis in reversed(range(value.ndim)):
            new = np.setdiff1d(everything[axis], old[axis])
            if len(new):
                part = value[np.ix_(*old[:axis], new, *everything[axis + 1 :])]
                merged = np.argsort(np.concatenate([old[axis], new]))
                variable = add_variable(rung, piece, part, ending=f"_new{axis}", trainable=True)
                self._trained.append((axis, variable, merged))
        frozen = value[np.ix_(*old)]
        self._block = add_variable(rung, piece, frozen, ending="_block", trainable=block is None)

    def value(self) -> Any:
        """Return the kernel, put together."""
        value = self._block.value
        for axis, part, order in self._trained:
            value = ops.concatenate([value, part.value], axis=axis)
            if not np.array_equal(order, np.arange(len(order))):
                value = ops.take(value, order, axis=axis)
        return value

    def write(self) -> None:
        """Write the kernel to its place in the widest model's variable."""
        full = np.array(ops.convert_to_numpy(self.slice.source))
        full[np.ix_(*positions_in_source(self.slice))] = ops.convert_to_numpy(self.value())
        self.slice.source.assign(full)


def has_own(piece: Slice) -> bool:
    """Return whether a rung has a variable of its own for `piece`: all but kernels and what is frozen with them."""
    if piece.variable is piece.source:
        return False
    if piece.role is None:
        return not piece.source.trainable
    return piece.role in ("scale", "shift", "statistic")


def own_weight(
    rung: keras.Layer, piece: Slice, start: np.ndarray, *, scales: Scales
) -> OwnWeight | ScaledWeight:
    """Return the source of a weight of which the rung has a variable of its own."""
    if piece.role == "scale":
        return ScaledWeight(rung, piece, start, scales=scales)
    return OwnWeight(rung, piece, start)


def own_start(piece: Slice, *, scales: Scales) -> np.ndarray:
    """Return what a rung's own variable for `piece` is where the rung does as the widest model does."""
    value = piece.value()
    if piece.role != "scale":
        return value
    return np.ones_like(value) if scales == "factors" else np.abs(value)


def positions_in_source(piece: Slice) -> Positions:
    """Return which positions of the widest model's variable a rung's variable consists of."""
    lengths = enumerate(piece.source.shape)
    return [piece.takes.get(axis, np.arange(length)) for axis, length in lengths]


def positions_in_slice(piece: Slice, narrower: Slice) -> Positions:
    """Return where in a rung's variable the narrower rung's variable lies."""
    pairs = zip(positions_in_source(piece), positions_in_source(narrower), strict=True)
    found = []
    for wide, narrow in pairs:
        order = np.argsort(wide)
        found.append(order[np.searchsorted(wide, narrow, sorter=order)])
    return found


def add_variable(
    rung: keras.Layer, piece: Slice, value: np.ndarray, *, ending: str = "", **options: Any
) -> keras.Variable:
    """Add to a rung a variable that stands for `piece` or a part of it."""
    variable = rung.add_weight(
        shape=value.shape,
        initializer="zeros",
        dtype=piece.source.dtype,
        autocast=False,
        # Optimizers spare weights from decay by their names, so the original's stays in it.
        name=piece.source.path.replace("/", "_") + ending,
        **options,
    )
    variable.assign(value)
    return variable


def _sign(value: Any) -> Any:
    return ops.where(value < 0, -ops.ones_like(value), ops.ones_like(value))


def _take(value: Any, positions: np.ndarray, axis: int) -> Any:
    if np.array_equal(positions, np.arange(len(positions))):
        return value[(slice(None),) * axis + (slice(0, len(positions)),)]
    return ops.take(value, positions, axis=axis)
