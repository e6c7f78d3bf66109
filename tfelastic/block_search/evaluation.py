"""`Accuracy`: evaluates nets on labelled images, and all nets without one block in one pass."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tfelastic.block_search.leave_one_out import LeaveOneOutModel
from tfelastic.errors import DataError
from tfelastic.graph import LayerGraph

# After so many images an evaluation reports its progress, so that an interrupted search can resume from there.
_PART_SIZE = 1024


@dataclass(frozen=True)
class EvaluationProgress:
    """How far an evaluation of all nets without one block has come.

    Attributes:
        seen: How many images have been evaluated.
        correct: For each block how many of them the net without it classifies correctly.
    """

    seen: int
    correct: Mapping[str, int]

    @property
    def accuracies(self) -> dict[str, float]:
        """The share of the images seen that the net without each block classifies correctly."""
        return {name: correct / self.seen for name, correct in self.correct.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the progress as plain data."""
        return {"seen": self.seen, "correct": dict(self.correct)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "EvaluationProgress":
        """Return the progress that `to_json` gave."""
        return cls(int(data["seen"]), {str(name): int(n) for name, n in data["correct"].items()})


class Accuracy:
    """The share of images whose largest output is at their label.

    Called on a model it returns a number. A block search also asks it for all nets without one block at once,
    which costs about half as much as one after the other (see `tfelastic.block_search.leave_one_out`).

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
        correct = 0
        for start in range(0, len(self), _PART_SIZE):
            outputs = self._predict(model, start, self._batch_size)
            if not isinstance(outputs, np.ndarray) or outputs.ndim != 2:
                raise DataError(_expected_outputs(model))
            correct += int(self._correct(outputs[:, np.newaxis], start)[0])
        return correct / len(self)

    def without_each(
        self, graph: LayerGraph, blocks: Sequence[str], *, after: EvaluationProgress | None = None
    ) -> Iterator[EvaluationProgress]:
        """Go through the images once and yield, part by part, how many each net without a block classifies correctly.

        Args:
            graph: The net.
            blocks: Names of its blocks.
            after: The progress to resume from.

        Raises:
            DataError: The net does not return one score for each class.
        """
        if len(graph.outputs) != 1 or len(graph.outputs[0].shape) != 2:
            raise DataError(_expected_outputs(graph.model))
        nets = LeaveOneOutModel(graph, blocks)
        progress = after or EvaluationProgress(0, dict.fromkeys(blocks, 0))
        # A layer takes the images of all nets at once.
        batch_size = max(1, self._batch_size // (1 + len(blocks)))
        for start in range(progress.seen, len(self), _PART_SIZE):
            correct = self._correct(self._predict(nets, start, batch_size)[:, 1:], start)
            counts = {
                name: progress.correct[name] + int(n)
                for name, n in zip(blocks, correct, strict=True)
            }
            progress = EvaluationProgress(min(start + _PART_SIZE, len(self)), counts)
            yield progress

    def _predict(self, model: keras.Model, start: int, batch_size: int) -> Any:
        images = np.asarray(self._images[start : start + _PART_SIZE])
        return model.predict(images, batch_size=batch_size, verbose=0)

    def _correct(self, outputs: np.ndarray, start: int) -> np.ndarray:
        """Return how many images each net classifies correctly, `[nets]`; outputs are `[images, nets, classes]`."""
        labels = self._labels[start : start + _PART_SIZE]
        return (outputs.argmax(axis=-1) == labels[:, np.newaxis]).sum(axis=0)


def _expected_outputs(model: keras.Model) -> str:
    return (
        f"an accuracy needs one output [batch, classes]; model {model.name!r} returns {model.output_shape}; pass a "
        "function of the model instead"
    )
