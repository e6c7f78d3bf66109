"""The epochs of a training, as plain data that a report reads without Keras."""

from collections.abc import Iterable, Mapping

#: One epoch's figures: `epoch` (from 1), `seconds`, `loss`, and what the task watches, such as `accuracy`.
Epoch = dict[str, float]
History = tuple[Epoch, ...]


def watched(epoch: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of an epoch's figures that are neither its number, nor its time, nor a loss.

    Examples:
        >>> watched({"epoch": 1, "seconds": 2.5, "loss": 0.5, "sound_loss": 0.1, "sound_accuracy": 0.9})
        ('sound_accuracy',)
    """
    others = ("epoch", "seconds", "loss")
    return tuple(name for name in epoch if name not in others and not name.endswith("_loss"))


def training_seconds(history: Iterable[Epoch]) -> float:
    """Return how long a training's epochs took."""
    return sum(epoch["seconds"] for epoch in history)
