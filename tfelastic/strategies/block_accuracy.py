"""`Accuracy`: judges nets by labelled images, and all nets without one block in one sweep."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tfelastic.errors import DataError
from tfelastic.graph import LayerGraph
from tfelastic.strategies.block_lanes import Lanes

# After so many images a sweep says how far it is, so that a search that is cut short need not begin anew.
_PART = 1024


@dataclass(frozen=True)
class Tally:
    """How far a sweep is: of the first `seen` images, how many the net without each block gets right."""

    seen: int
    right: Mapping[str, int]

    @property
    def accuracies(self) -> dict[str, float]:
        """The share that each gets right."""
        return {name: right / self.seen for name, right in self.right.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the tally as plain data."""
        return {"seen": self.seen, "right": dict(self.right)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Tally":
        """Return the tally that `to_json` gave."""
        return cls(int(data["seen"]), {str(name): int(n) for name, n in data["right"].items()})


class Accuracy:
    """The share of images whose largest output is at their label.

    Called on a model it returns a number. A block search also asks it for all nets without one block at once,
    which costs about half as much as one after the other (see `tfelastic.strategies.block_lanes`).

    Args:
        images: What the model takes, `[count, height, width, channels]`; read slice by slice, so a memory-mapped
            array may be larger than the memory.
        labels: The class of each image, integers `[count]`.
        batch_size: How many images a layer takes at once; bounds the memory.

    Raises:
        DataError: The counts differ or are zero, or the labels are no integers.

    Example:
        >>> import keras, numpy as np, tfelastic as te
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Softmax()])
        >>> te.Accuracy(np.array([[1.0, 0.0], [3.0, 2.0]]), np.array([0, 1]))(model)
        0.5
    """

    def __init__(self, images: Any, labels: Any, *, batch_size: int = 256) -> None:
        labels = np.asarray(labels)
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise DataError(
                f"labels must be integers [count], received {labels.dtype} {list(labels.shape)}"
            )
        if len(images) != len(labels) or len(labels) == 0:
            raise DataError(
                f"an accuracy needs as many images as labels, received {len(images)} and {len(labels)}"
            )
        if batch_size < 1:
            raise DataError(f"batch_size must be positive, received {batch_size}")
        self._images, self._labels, self._batch_size = images, labels, batch_size

    def __len__(self) -> int:
        return len(self._labels)

    def __call__(self, model: keras.Model) -> float:
        """Return the accuracy of `model`, 0 to 1.

        Raises:
            DataError: The model does not return one score for each class.
        """
        right = 0
        for start in range(0, len(self), _PART):
            outputs = self._predict(model, start, self._batch_size)
            if not isinstance(outputs, np.ndarray) or outputs.ndim != 2:
                raise DataError(_outputs_wanted(model))
            right += int(self._right(outputs[:, np.newaxis], start)[0])
        return right / len(self)

    def without_each(
        self, graph: LayerGraph, blocks: Sequence[str], *, after: Tally | None = None
    ) -> Iterator[Tally]:
        """Run through the images once and yield, part by part, how the net does without each of `blocks`.

        Args:
            graph: The net.
            blocks: Names of its blocks.
            after: Go on from here.

        Raises:
            DataError: The net does not return one score for each class.
        """
        if len(graph.outputs) != 1 or len(graph.outputs[0].shape) != 2:
            raise DataError(_outputs_wanted(graph.model))
        lanes = Lanes(graph, blocks)
        tally = after or Tally(0, dict.fromkeys(blocks, 0))
        # All lanes pass through a layer together.
        batch_size = max(1, self._batch_size // (1 + len(blocks)))
        for start in range(tally.seen, len(self), _PART):
            right = self._right(self._predict(lanes, start, batch_size)[:, 1:], start)
            counts = {
                name: tally.right[name] + int(n) for name, n in zip(blocks, right, strict=True)
            }
            tally = Tally(min(start + _PART, len(self)), counts)
            yield tally

    def _predict(self, model: keras.Model, start: int, batch_size: int) -> Any:
        images = np.asarray(self._images[start : start + _PART])
        return model.predict(images, batch_size=batch_size, verbose=0)

    def _right(self, outputs: np.ndarray, start: int) -> np.ndarray:
        """Return how many images each net gets right, `[nets]`, from outputs `[images, nets, classes]`."""
        labels = self._labels[start : start + _PART]
        return (outputs.argmax(axis=-1) == labels[:, np.newaxis]).sum(axis=0)


def _outputs_wanted(model: keras.Model) -> str:
    return (
        f"an accuracy needs one output [batch, classes]; model {model.name!r} returns {model.output_shape}; pass a "
        "function of the model instead"
    )
