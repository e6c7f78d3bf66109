"""Strands: what each variable of a rung in training is made of, and where it goes afterwards."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfelastic.elastic.view import Positive, sign_of
from tfelastic.surgery import Slice

#: Which positions of a variable are meant, an array per axis.
Positions = Sequence[np.ndarray]


def positions_in_source(piece: Slice) -> Positions:
    """Return which positions of the widest model's variable a rung's variable consists of."""
    lengths = enumerate(piece.source.shape)
    return [piece.takes.get(axis, np.arange(length)) for axis, length in lengths]


def positions_in_piece(piece: Slice, narrower: Slice) -> Positions:
    """Return where in a rung's variable the narrower rung's variable lies."""
    pairs = zip(positions_in_source(piece), positions_in_source(narrower), strict=True)
    found = []
    for wide, narrow in pairs:
        order = np.argsort(wide)
        found.append(order[np.searchsorted(wide, narrow, sorter=order)])
    return found


class Shared:
    """A kernel: the narrower rung's block, held fast, and the re-grown slices around it, which are trained.

    The slices follow axis by axis. For a kernel `[..., in, out]` the first holds all re-grown inputs, `[..., new
    inputs, all outputs]`, and the second what they leave of the re-grown outputs, `[..., old inputs, new outputs]`.

    Args:
        rung: The layer that the variables belong to.
        piece: Where the kernel lies in the network's.
        block: Where in the kernel the narrower rung's block lies; `None` where it has none.
    """

    def __init__(self, rung: keras.Layer, piece: Slice, block: Positions | None) -> None:
        self.piece = piece
        value = piece.value()
        everything = [np.arange(length) for length in value.shape]
        if not piece.source.trainable:
            block = everything
        old = everything if block is None else block
        self._slices = []
        for axis in reversed(range(value.ndim)):
            new = np.setdiff1d(everything[axis], old[axis])
            if len(new):
                part = value[np.ix_(*old[:axis], new, *everything[axis + 1 :])]
                merged = np.argsort(np.concatenate([old[axis], new]))
                variable = _variable(rung, piece, part, trainable=True, ending=f"_new{axis}")
                self._slices.append((axis, variable, merged))
        # Without a block below, everything is re-grown.
        self._block = _variable(
            rung, piece, value[np.ix_(*old)], trainable=block is None, ending="_block"
        )

    def value(self) -> Any:
        """Return the kernel, put together."""
        value = self._block.value
        for axis, part, order in self._slices:
            value = ops.concatenate([value, part.value], axis=axis)
            if not np.array_equal(order, np.arange(len(order))):
                value = ops.take(value, order, axis=axis)
        return value

    def settle(self) -> None:
        """Write the kernel to its place in the network's."""
        whole = np.array(ops.convert_to_numpy(self.piece.source))
        whole[np.ix_(*positions_in_source(self.piece))] = ops.convert_to_numpy(self.value())
        self.piece.source.assign(whole)


class Own:
    """A weight that belongs to the rung alone: a bias, a shift, a statistic, the size of a scale, a random state.

    Args:
        rung: The layer that the variable belongs to.
        piece: Where the weight lies in the network's.
        target: Whose value it becomes: a variable of the rung's view, or of the widest model itself.
        start: The value to start from, `piece.variable.shape`; for a scale its size alone counts.
    """

    def __init__(
        self, rung: keras.Layer, piece: Slice, target: keras.Variable, start: np.ndarray
    ) -> None:
        self.piece = piece
        self._target = target
        self._sign = sign_of(piece.value()) if piece.role == "scale" else None
        self.variable = _variable(
            rung,
            piece,
            start if self._sign is None else np.abs(start),
            trainable=piece.source.trainable,
            constraint=None if self._sign is None else Positive(),
        )

    @property
    def moves(self) -> bool:
        """Whether training changes it by running, not by its gradient."""
        return self._sign is None and not self.piece.variable.trainable

    def value(self) -> Any:
        """Return the weight."""
        value = self.variable.value
        return value if self._sign is None else self._sign * value

    def settle(self) -> None:
        """Write the weight to where it belongs."""
        whole = self._target is self.piece.source
        self._target.assign(self.value() if whole else self.variable)


def _variable(
    rung: keras.Layer, piece: Slice, value: np.ndarray, *, ending: str = "", **options: Any
) -> keras.Variable:
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
