"""Imagined devices that price a plan: what the tests of latency-aware pruning know exactly."""

from dataclasses import dataclass

import keras
import numpy as np

from tfelastic._cost import channels_of, makes_channels, timed_steps
from tfelastic._plan import Selection
from tfelastic.graph import Step


@dataclass(frozen=True)
class TiledDevice:
    """A device whose kernels work in tiles of channels: latency is a staircase in every channel count.

    Attributes:
        tile: Channels in a tile.
        call_us: What each operation takes besides its tiles, in microseconds.
    """

    tile: int = 16
    call_us: float = 1.0

    def latency_us(self, selection: Selection) -> float:
        """Return the sum over all operations of their tiles, times their pixels."""
        return sum(self._operation_us(selection, step) for step in timed_steps(selection))

    def _operation_us(self, selection: Selection, step: Step) -> float:
        counts = channels_of(selection, step)
        tiles = np.prod([-(-count // self.tile) for count in counts])
        shape = selection.shape(step.outputs[0])
        pixels = int(np.prod([length or 1 for length in shape[1:-1]]))
        work = 0.01 if makes_channels(selection, step) else 0.001
        return self.call_us + work * pixels * float(tiles)


def chain(*filters: int, image: int = 8) -> keras.Model:
    """Return a chain of convolutions without a residual."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((image, image, 3))
    for number, width in enumerate(filters):
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu", name=f"c{number}")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(10, name="logits")(x), name="chain")
