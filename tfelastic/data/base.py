"""What a data set is here: two splits of uint8 images with integer labels, held in memory."""

import dataclasses
from typing import Any

import numpy as np

from tfelastic.errors import DataError


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels.

    Args:
        images: Raw pixels, uint8 `[count, height, width, channels]`.
        labels: The class of each image, int64 `[count]`.

    Raises:
        DataError: The shapes or types are others, or there is no image.
    """

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise DataError(
                "images must be uint8 [count, height, width, channels], "
                f"got {self.images.dtype} {list(self.images.shape)}"
            )
        if not np.issubdtype(self.labels.dtype, np.integer) or self.labels.ndim != 1:
            raise DataError(
                "labels must be integers [count], "
                f"got {self.labels.dtype} {list(self.labels.shape)}"
            )
        if len(self.images) != len(self.labels):
            raise DataError(f"got {len(self.images)} images but {len(self.labels)} labels")
        if len(self.images) == 0:
            raise DataError("a split needs at least one image, got none")
        object.__setattr__(self, "labels", self.labels.astype(np.int64))

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> "Split":
        """Return the images and labels at `indices`, in that order."""
        return Split(self.images[indices], self.labels[indices])


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split over the same classes.

    Args:
        name: What the data are, as every table should call them.
        classes: The name of each label.
        train: What to learn from.
        test: What to judge by.

    Raises:
        DataError: The splits differ in image shape, or a label has no class.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split

    def __post_init__(self) -> None:
        if self.train.images.shape[1:] != self.test.images.shape[1:]:
            raise DataError(
                f"{self.name}: training images are {list(self.train.images.shape[1:])} but test "
                f"images {list(self.test.images.shape[1:])}; give an image_size"
            )
        for split_name, split in (("train", self.train), ("test", self.test)):
            low, high = int(split.labels.min()), int(split.labels.max())
            if low < 0 or high >= len(self.classes):
                raise DataError(
                    f"{self.name}: labels of the {split_name} split run from {low} to {high}, but "
                    f"{len(self.classes)} classes allow 0 to {len(self.classes) - 1} only"
                )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels

    def describe(self) -> dict[str, Any]:
        """Return name, sizes, image shape and classes as plain JSON data."""
        return {
            "name": self.name,
            "train": len(self.train),
            "test": len(self.test),
            "image_shape": list(self.image_shape),
            "classes": list(self.classes),
        }


def stratified_order(labels: np.ndarray, *, seed: int) -> np.ndarray:
    """Return an order of `labels` in which every prefix holds all classes in proportion.

    Example:
        >>> labels = np.array([0, 0, 0, 0, 1, 1])
        >>> sorted(labels[stratified_order(labels, seed=0)][:3].tolist())
        [0, 0, 1]
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        # Where each member stands within its class, from 0 to 1: sorted by that, classes mix
        # evenly.
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    return shuffled[np.argsort(position[shuffled], kind="stable")]


def limited(split: Split, limit: int, *, seed: int) -> Split:
    """Return `limit` images of `split` in their old order, all classes in proportion.

    A smaller limit keeps a subset of what a larger one keeps.

    Raises:
        DataError: The limit is not between 1 and the split's size.
    """
    if not 1 <= limit <= len(split):
        raise DataError(f"limit must be between 1 and {len(split)} training images, got {limit}")
    return split.take(np.sort(stratified_order(split.labels, seed=seed)[:limit]))
