"""Batches for `fit` and `evaluate`, shuffled and augmented alike in every run."""

from collections.abc import Callable, Mapping

import keras
import numpy as np

from tfelastic.data.dataset import Arrays, Split, arrays_of, described, is_images
from tfelastic.errors import DataError
from tfelastic.registry import Registry

#: Maps images `[batch, height, width, channels]` and a generator to augmented ones; what it does to one image depends
#: on the generator alone, so masks get the same from a generator of the same state.
Augmentation = Callable[[np.ndarray, np.random.Generator], np.ndarray]

AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation", DataError)

# As for CIFAR in He et al. (arXiv 1512.03385) and most that followed.
_MAX_SHIFT = 4


class Batches(keras.utils.PyDataset):
    """Feeds a split to Keras: its inputs, pixels as float32, and its targets, as arrays or dicts of them.

    The order and the augmentation of an epoch depend on `seed` and the epoch's number alone, so a
    run that stops after k epochs goes on, after `start_at(k)`, as if it had never stopped. Every
    pass that Keras ends counts as an epoch. Call `fit(batches, shuffle=False)`: by default Keras
    shuffles the batches themselves once more, and from a state that no seed here reaches.

    Args:
        split: The examples and targets.
        batch_size: Examples per batch; the last batch of an epoch may be smaller.
        augment: None, "shift" (up to 4 pixels each way, zeros moving in) or "shift-flip" (that, and
            mirrored left to right half of the time). Targets with a value per pixel move with their images.
        shuffle: Whether every epoch has an order of its own.
        seed: Fixes order and augmentation.
        multiple_of: Every batch is cut to a multiple of so many examples, one or more for each device that trains;
            the examples that are left over are others in every epoch.
        part: Which part of each batch to feed, and how many equal parts there are: what one of several processes
            that train together takes.

    Raises:
        DataError: The batch size is not positive or not a multiple, the split holds too few examples, or the
            augmentation is unknown or needs images and there are none.
    """

    def __init__(
        self,
        split: Split,
        *,
        batch_size: int,
        augment: str | None = None,
        shuffle: bool = True,
        seed: int = 0,
        multiple_of: int = 1,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise DataError(f"batch_size must be positive, got {batch_size}")
        if batch_size % multiple_of or multiple_of % part[1] or len(split) < multiple_of:
            raise DataError(
                f"{multiple_of} devices in {part[1]} processes share each batch equally, so they need a batch_size "
                f"that is a multiple of {multiple_of}, got {batch_size}, and no fewer than {multiple_of} examples, got "
                f"{len(split)}; change batch_size or train on fewer devices"
            )
        self._split = split
        self._batch_size = batch_size
        self._fed_per_epoch = len(split) - len(split) % batch_size % multiple_of
        self._part = part
        self._augment = None if augment is None else AUGMENTATIONS.get(augment)
        self._image_sizes = {
            array.shape[1:3] for array in arrays_of(split.inputs).values() if is_images(array)
        }
        if augment is not None and not self._image_sizes:
            raise DataError(
                f"the augmentation {augment!r} is for uint8 images [count, height, width, channels], got "
                f"{described(split.inputs)}; set augment to null"
            )
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
        return -(-self._fed_per_epoch // self._batch_size)

    def __getitem__(self, index: int) -> tuple[Arrays, Arrays]:
        start = index * self._batch_size
        chosen = self._order[start : min(start + self._batch_size, self._fed_per_epoch)]
        number, parts = self._part
        size = len(chosen) // parts
        own = slice(number * size, number * size + size) if parts > 1 else slice(None)
        self._finished |= index == len(self) - 1

        def fed(array: np.ndarray) -> np.ndarray:
            # A batch is augmented whole, so that its parts are those of one process' batch.
            array = self._augmented(array[chosen], index)[own]
            return array.astype(np.float32, order="C") if array.dtype == np.uint8 else array

        return _mapped(fed, self._split.inputs), _mapped(fed, self._split.targets)

    def _augmented(self, array: np.ndarray, index: int) -> np.ndarray:
        """Return images, or targets with a value per pixel, augmented; anything else as it is."""
        if self._augment is None or array.shape[1:3] not in self._image_sizes:
            return array
        # A generator of the same state for each, so that a mask moves as its image does.
        random = self._random(index + 1)
        if is_images(array):
            return self._augment(array, random)
        if array.ndim in (3, 4):
            return self._augment(array.reshape(*array.shape[:3], -1), random).reshape(array.shape)
        return array

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


def _mapped(function: Callable[[np.ndarray], np.ndarray], arrays: Arrays) -> Arrays:
    if isinstance(arrays, Mapping):
        return {name: function(array) for name, array in arrays.items()}
    return function(arrays)
