"""The epochs of a training, as plain data that a report reads without Keras."""

from collections.abc import Iterable

#: One epoch's figures: `epoch` (from 1), `seconds`, `loss`, `accuracy`, and what a model adds.
Epoch = dict[str, float]
History = tuple[Epoch, ...]


def training_seconds(history: Iterable[Epoch]) -> float:
    """Return how long a training's epochs took."""
    return sum(epoch["seconds"] for epoch in history)
