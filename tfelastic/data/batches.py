"""Batches for `fit` and `evaluate`, shuffled and augmented alike in every run."""

from collections.abc import Callable

import keras
import numpy as np

from tfelastic.data.base import Split
from tfelastic.errors import DataError
from tfelastic.registry import Registry

#: Maps uint8 images `[batch, height, width, channels]` and a generator to augmented ones.
Augmentation = Callable[[np.ndarray, np.random.Generator], np.ndarray]

AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation", DataError)

# As for CIFAR in He et al. (arXiv 1512.03385) and most that followed.
_MAX_SHIFT = 4


class Batches(keras.utils.PyDataset):
    """Feeds a split to Keras: float32 images `[batch, height, width, channels]` and int64 labels.

    The order and the augmentation of an epoch depend on `seed` and the epoch's number alone, so a
    run that stops after k epochs goes on, after `start_at(k)`, as if it had never stopped. Every
    pass that Keras ends counts as an epoch. Call `fit(batches, shuffle=False)`: by default Keras
    shuffles the batches themselves once more, and from a state that no seed here reaches.

    Args:
        split: The images and labels.
        batch_size: Images per batch; the last batch of an epoch may be smaller.
        augment: None, "shift" (up to 4 pixels each way, zeros moving in) or "shift-flip" (that, and
            mirrored left to right half of the time).
        shuffle: Whether every epoch has an order of its own.
        seed: Fixes order and augmentation.

    Raises:
        DataError: The batch size is not positive or the augmentation is unknown.
    """

    def __init__(
        self,
        split: Split,
        *,
        batch_size: int,
        augment: str | None = None,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise DataError(f"batch_size must be positive, got {batch_size}")
        self._split = split
        self._batch_size = batch_size
        self._augment = None if augment is None else AUGMENTATIONS.get(augment)
        self._shuffle = shuffle
        self._seed = seed
        self.start_at(0)

    def start_at(self, epoch: int) -> None:
        """Make `epoch`, counted from 0, the next to be fed."""
        self._epoch = epoch
        self._begun = self._finished = False
        count = len(self._split)
        self._order = self._random(0).permutation(count) if self._shuffle else np.arange(count)

    def on_epoch_begin(self) -> None:
        """Note that a pass begins."""
        self._begun, self._finished = True, False

    def on_epoch_end(self) -> None:
        """Go on to the next epoch, if this one was fed to its end."""
        # Keras also calls this before the first pass, and after taking a batch only to see shapes.
        if self._begun and self._finished:
            self.start_at(self._epoch + 1)

    def __len__(self) -> int:
        return -(-len(self._split) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        start = index * self._batch_size
        chosen = self._order[start : start + self._batch_size]
        self._finished |= index == len(self) - 1
        images = self._split.images[chosen]
        if self._augment is not None:
            images = self._augment(images, self._random(index + 1))
        return images.astype(np.float32, order="C"), self._split.labels[chosen]

    def _random(self, stream: int) -> np.random.Generator:
        """Return a generator of its own for each batch, so that batches may come in any order."""
        return np.random.default_rng((self._seed, self._epoch, stream))


@AUGMENTATIONS.register("shift")
def shift(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Move each image by up to 4 pixels up or down and left or right; zeros move in."""
    count, height, width, _ = images.shape
    border = (_MAX_SHIFT, _MAX_SHIFT)
    padded = np.pad(images, ((0, 0), border, border, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    top, left = random.integers(0, 2 * _MAX_SHIFT + 1, size=(2, count))
    # One gather copies every image's window: [batch, channels, height, width].
    return windows[np.arange(count), top, left].transpose(0, 2, 3, 1)


@AUGMENTATIONS.register("shift-flip")
def shift_flip(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Move each image as `shift` does, and mirror it left to right half of the time."""
    moved = shift(images, random)
    mirrored = random.random(len(moved)) < 0.5
    moved[mirrored] = moved[mirrored, :, ::-1]
    return moved
