"""The epochs of a training, as plain data that a report reads without Keras."""

import math
from collections.abc import Iterable, Mapping

from pipelines.recipe import Training

#: What begins the names of figures on held-out examples.
HELD_OUT = "val_"

#: One epoch's figures: `epoch` (from 1), `seconds`, `loss`, and what the task watches, such as `accuracy`; with
#: `val_` before their names the same on held-out examples, where a training has some.
Epoch = dict[str, float]
History = tuple[Epoch, ...]


def watched(epoch: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of an epoch's figures on training examples that are no losses.

    Examples:
        >>> watched({"epoch": 1, "seconds": 2.5, "loss": 0.5, "accuracy": 0.9, "val_loss": 0.6, "val_accuracy": 0.8})
        ('accuracy',)
        >>> watched({"loss": 0.5, "sound_loss": 0.1, "sound_accuracy": 0.9})
        ('sound_accuracy',)
    """
    others = ("epoch", "seconds", "loss")
    return tuple(
        name
        for name in epoch
        if name not in others and not name.endswith("_loss") and not name.startswith(HELD_OUT)
    )


def training_seconds(history: Iterable[Epoch]) -> float:
    """Return how long a training's epochs took."""
    return sum(epoch["seconds"] for epoch in history)


def best_epoch(history: History) -> int:
    """Return the number, from 1, of the first epoch with the lowest loss of the held-out examples (NaN: the highest).

    Examples:
        >>> best_epoch(({"epoch": 1, "val_loss": 0.7}, {"epoch": 2, "val_loss": 0.5}, {"epoch": 3, "val_loss": 0.5}))
        2
    """
    losses = [epoch[f"{HELD_OUT}loss"] for epoch in history]
    ordered = [math.inf if math.isnan(loss) else loss for loss in losses]
    return ordered.index(min(ordered)) + 1


def has_stopped(history: History, patience: int | None) -> bool:
    """Return whether the loss of the held-out examples has not fallen for `patience` epochs (`None`: never)."""
    if patience is None or not history:
        return False
    return len(history) - best_epoch(history) >= patience


def early_stop(history: History, training: Training) -> str:
    """Return in words where early stopping ended a training and which epoch it kept; empty for one without."""
    if training.patience is None:
        return ""
    ended = "stopped after" if has_stopped(history, training.patience) else "ended after"
    return f"{ended} epoch {len(history)} of {training.epochs}, kept the best one, epoch {best_epoch(history)}"
