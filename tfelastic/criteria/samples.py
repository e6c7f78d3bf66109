"""The images and labels that a criterion measures on."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tfelastic.errors import CriterionError


class Samples:
    """Images, and labels where they are needed, cut into batches.

    Args:
        images: What the model takes: `[count, height, width, channels]`, or a list or dict of such arrays.
        labels: What its loss takes, `[count, ...]`, nested likewise.
        batch_size: How many images a batch holds; `count` where that is less.

    Raises:
        CriterionError: There are no images, the counts differ, or `batch_size` is not positive.
    """

    def __init__(self, images: Any, labels: Any = None, *, batch_size: int) -> None:
        counts = {"images": _counts(images), "labels": _counts(labels)}
        self.count = min(counts["images"], default=0)
        if self.count == 0:
            raise CriterionError(
                "a criterion that is measured needs at least one image, received none; a few hundred are enough"
            )
        if {*counts["images"], *counts["labels"]} != {self.count}:
            received = ", ".join(f"{n} {kind}" for kind in counts for n in counts[kind])
            raise CriterionError(f"every image needs its label, received {received}")
        if batch_size < 1:
            raise CriterionError(f"the batch size must be 1 or more, received {batch_size}")
        self._images = images
        self._labels = labels
        self._batch_size = min(batch_size, self.count)

    def batches(self, *, drop_remainder: bool) -> Iterator[tuple[Any, Any]]:
        """Yield images and labels batch by batch; with `drop_remainder`, a last smaller batch is left out."""
        size = self._batch_size
        for start in range(0, self.count - size + 1 if drop_remainder else self.count, size):
            yield _part(self._images, start, size), _part(self._labels, start, size)


def _counts(arrays: Any) -> list[int]:
    return [len(array) for array in keras.tree.flatten(arrays) if array is not None]


def _part(arrays: Any, start: int, size: int) -> Any:
    if arrays is None:
        return None
    return keras.tree.map_structure(lambda array: np.asarray(array[start : start + size]), arrays)
