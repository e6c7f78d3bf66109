"""What a data set is here: two splits of examples with their targets, held in memory."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfelastic.errors import DataError

#: One array of examples, `[count, ...]`, or several by the names of a model's inputs or outputs.
Arrays = np.ndarray | Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Examples and their targets.

    An input is uint8 or float32: raw pixels are the former, measured values and features the latter; whole numbers of
    other types stay as they are, for models that look them up. A target is int64 (classes, also one per pixel) or
    float32 (values, or a 0 or 1 for each of several labels).

    Args:
        inputs: Examples `[count, ...]`, or a dict of them for a model of several inputs.
        targets: What the model should return, `[count, ...]`, or a dict for a model of several outputs.

    Raises:
        DataError: There is no example, the counts differ, or a value is not a finite number.
    """

    inputs: Arrays
    targets: Arrays

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", _mapped(_as_input, self.inputs, "input"))
        object.__setattr__(self, "targets", _mapped(_as_target, self.targets, "target"))
        counts = {f"{len(array)} {what}" for what, array in self._named()}
        if len({len(array) for _, array in self._named()}) > 1:
            raise DataError(
                f"every input and target needs one row per example, got {', '.join(sorted(counts))}"
            )
        if len(self) == 0:
            raise DataError("a split needs at least one example, got none")

    def __len__(self) -> int:
        return len(next(iter(arrays_of(self.inputs).values())))

    @property
    def images(self) -> np.ndarray:
        """Raw pixels, uint8 `[count, height, width, channels]`.

        Raises:
            DataError: The inputs are not one array of images.
        """
        if not isinstance(self.inputs, np.ndarray) or not is_images(self.inputs):
            raise DataError(
                f"expected one input of uint8 images [count, height, width, channels], got {described(self.inputs)}"
            )
        return self.inputs

    @property
    def labels(self) -> np.ndarray:
        """The class of each example, int64 `[count]`.

        Raises:
            DataError: The targets are not one class per example.
        """
        targets = self.targets
        if not isinstance(targets, np.ndarray) or targets.dtype != np.int64 or targets.ndim != 1:
            raise DataError(f"expected one class per example, [count], got {described(targets)}")
        return targets

    def take(self, indices: np.ndarray) -> "Split":
        """Return the examples at `indices`, in that order."""

        def taken(array: np.ndarray, _: str) -> np.ndarray:
            return array[indices]

        return Split(_mapped(taken, self.inputs, "input"), _mapped(taken, self.targets, "target"))

    def _named(self) -> list[tuple[str, np.ndarray]]:
        sides = (("inputs", self.inputs), ("targets", self.targets))
        return [
            (f"{side} {name}".strip(), array)
            for side, arrays in sides
            for name, array in arrays_of(arrays).items()
        ]


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split of the same kind.

    Args:
        name: What the data are, as every table should call them.
        classes: The name of each class; for several targets a dict by target. Empty where targets are no classes.
        train: What to train on.
        test: What to evaluate on.
        test_drawn: Whether the source has no test split, so that examples were drawn from it for one.

    Raises:
        DataError: The splits differ in shape, or a label has no class.
    """

    name: str
    classes: tuple[str, ...] | Mapping[str, tuple[str, ...]]
    train: Split
    test: Split
    test_drawn: bool = False

    def __post_init__(self) -> None:
        for side in ("inputs", "targets"):
            ours, theirs = (_shapes(getattr(split, side)) for split in (self.train, self.test))
            if ours != theirs:
                raise DataError(
                    f"{self.name}: training {side} are {_shown(ours)} but test {side} {_shown(theirs)}; "
                    "every example needs the same shape (give images an image_size)"
                )
        for split_name, split in (("train", self.train), ("test", self.test)):
            self._check_classes(split_name, split)

    def classes_of(self, target: str = "") -> tuple[str, ...]:
        """Return the names of a target's classes, none where it has none; `target` names one of several."""
        return self.classes.get(target, ()) if isinstance(self.classes, Mapping) else self.classes

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image.

        Raises:
            DataError: The inputs are not images.
        """
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels

    @property
    def sha256(self) -> str:
        """The SHA-256 over every value of both splits, in hexadecimal."""
        total = hashlib.sha256()
        for split in (self.train, self.test):
            for side in (split.inputs, split.targets):
                for array in arrays_of(side).values():
                    total.update(np.ascontiguousarray(array).data)
        return total.hexdigest()

    def describe(self) -> dict[str, Any]:
        """Return name, sizes, shapes and classes as plain JSON data."""
        classes = self.classes
        return {
            "name": self.name,
            "train": len(self.train),
            "test": len(self.test),
            "inputs": _described(self.train.inputs),
            "targets": _described(self.train.targets),
            "classes": {name: list(names) for name, names in classes.items()}
            if isinstance(classes, Mapping)
            else list(classes),
        }

    def _check_classes(self, split_name: str, split: Split) -> None:
        for name, target in arrays_of(split.targets).items():
            classes = self.classes_of(name)
            if not classes or target.dtype != np.int64:
                continue
            low, high = int(target.min()), int(target.max())
            if low < 0 or high >= len(classes):
                raise DataError(
                    f"{self.name}: labels of the {split_name} split run from {low} to {high}, but "
                    f"{len(classes)} classes allow 0 to {len(classes) - 1} only"
                )


def arrays_of(arrays: Arrays) -> dict[str, np.ndarray]:
    """Return arrays by name; a single one has the name ""."""
    return dict(arrays) if isinstance(arrays, Mapping) else {"": arrays}


def is_images(array: np.ndarray) -> bool:
    """Whether an input is raw pixels, uint8 `[count, height, width, channels]`."""
    return array.dtype == np.uint8 and array.ndim == 4


def described(arrays: Arrays) -> str:
    """Return types and shapes as a message shows them."""
    return ", ".join(
        f"{name} {array.dtype} {list(array.shape)}".strip()
        for name, array in arrays_of(arrays).items()
    )


def stratified_order(labels: np.ndarray, *, seed: int) -> np.ndarray:
    """Return an order of `labels` in which every prefix holds all classes in proportion.

    Examples:
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


def sampling_order(split: Split, *, seed: int) -> np.ndarray:
    """Return an order in which to take examples: classes in proportion where there is one per example, else random."""
    targets = split.targets
    if isinstance(targets, np.ndarray) and targets.dtype == np.int64 and targets.ndim == 1:
        return stratified_order(targets, seed=seed)
    return np.random.default_rng(seed).permutation(len(split))


def limited(split: Split, limit: int, *, seed: int) -> Split:
    """Return `limit` examples of `split` in their old order, all classes in proportion.

    A smaller limit keeps a subset of what a larger one keeps.

    Raises:
        DataError: The limit is not between 1 and the split's size.
    """
    if not 1 <= limit <= len(split):
        raise DataError(f"limit must be between 1 and {len(split)} training examples, got {limit}")
    return split.take(np.sort(sampling_order(split, seed=seed)[:limit]))


def halved(split: Split, *, name: str, seed: int, test_share: float = 0.2) -> tuple[Split, Split]:
    """Return a split's training and test examples, drawn by the seed, classes in proportion.

    Raises:
        DataError: There are too few examples for two splits.
    """
    count = max(1, round(test_share * len(split)))
    if count >= len(split):
        raise DataError(f"{name}: {len(split)} example is too few for a training and a test split")
    order = sampling_order(split, seed=seed)
    return split.take(np.sort(order[count:])), split.take(np.sort(order[:count]))


def _mapped(function: Callable[[np.ndarray, str], np.ndarray], arrays: Arrays, side: str) -> Arrays:
    if not isinstance(arrays, Mapping):
        return function(np.asarray(arrays), side)
    if not arrays:
        raise DataError(f"expected at least one {side}, got an empty dict")
    return {name: function(np.asarray(array), f"{side} {name!r}") for name, array in arrays.items()}


def _as_input(array: np.ndarray, what: str) -> np.ndarray:
    _require_numbers(array, what)
    if array.ndim < 2:
        raise DataError(
            f"{what} must be [count, ...] with at least two axes, got {list(array.shape)}"
        )
    if array.dtype == np.bool_ or np.issubdtype(array.dtype, np.floating):
        return array.astype(np.float32, copy=False)
    return array


def _as_target(array: np.ndarray, what: str) -> np.ndarray:
    _require_numbers(array, what)
    if array.ndim < 1:
        raise DataError(f"{what} must be [count, ...], got a single number")
    whole = np.issubdtype(array.dtype, np.integer)
    return array.astype(np.int64 if whole else np.float32, copy=False)


def _require_numbers(array: np.ndarray, what: str) -> None:
    if array.dtype != np.bool_ and not np.issubdtype(array.dtype, np.number):
        raise DataError(f"{what} must be numbers, got {array.dtype} {list(array.shape)}")
    if np.issubdtype(array.dtype, np.complexfloating):
        raise DataError(f"{what} must be real numbers, got {array.dtype}")
    if np.issubdtype(array.dtype, np.floating):
        # Checked as it will be kept: float64's largest values overflow float32.
        with np.errstate(over="ignore"):
            bad = ~np.isfinite(array.astype(np.float32, copy=False))
        if bad.any():
            example = int(np.argwhere(bad)[0][0])
            raise DataError(
                f"{what} holds a value at example {example} that is not a finite float32 number; "
                "repair or remove that example"
            )


def _shapes(arrays: Arrays) -> dict[str, tuple[int, ...]]:
    return {name: array.shape[1:] for name, array in arrays_of(arrays).items()}


def _shown(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {list(shape)}".strip() for name, shape in shapes.items())


def _described(arrays: Arrays) -> dict[str, dict[str, Any]]:
    return {
        name: {"shape": list(array.shape[1:]), "dtype": str(array.dtype)}
        for name, array in arrays_of(arrays).items()
    }
