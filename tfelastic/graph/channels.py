"""Channels and the ties between them: a union-find over channel numbers.

Every channel that some weight creates gets a number, a *label*. A label array says, for each position along a
tensor's axes, which channel stands there. Tied channels are kept or dropped together; frozen ones are always kept.
"""

import numpy as np

# The label of everything that is no channel: the pixels of an input, a constant.
FIXED = 0


class Channels:
    """A growing set of channels, which of them are tied, and which are frozen and why."""

    def __init__(self) -> None:
        self._parent = np.array([FIXED])
        self._reasons: dict[int, list[str]] = {FIXED: ["not a channel of any weight"]}

    def __len__(self) -> int:
        return len(self._parent)

    def create(self, count: int) -> np.ndarray:
        """Return the labels of `count` new channels, `[count]`, that one weight axis creates."""
        first = len(self._parent)
        labels = np.arange(first, first + count)
        self._parent = np.concatenate([self._parent, labels])
        return labels

    def find(self, label: int) -> int:
        """Return the representative of the tied set that `label` belongs to."""
        return int(self.roots(np.array([label]))[0])

    def roots(self, labels: np.ndarray) -> np.ndarray:
        """Return the representatives of `labels`, in the same shape."""
        roots = self._parent[labels]
        while not np.array_equal(above := self._parent[roots], roots):
            roots = above
        self._parent[labels] = roots  # The next way up is shorter.
        return roots

    def tie(self, first: np.ndarray, second: np.ndarray) -> None:
        """Tie the channels of two label arrays position by position, broadcasting like numpy."""
        first, second = np.broadcast_arrays(first, second)
        pairs = self.roots(np.stack([first.ravel(), second.ravel()], axis=1))
        pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
        drop = pairs.max(axis=1)
        frozen = any(label in self._reasons for label in pairs.ravel().tolist())
        if len(np.unique(pairs)) == pairs.size and not frozen:
            self._parent[drop] = pairs.min(axis=1)  # Each set has part in one pair: in any order.
            return
        for one, other in pairs.tolist():
            self._union(one, other)

    def freeze(self, labels: np.ndarray, reason: str) -> None:
        """Keep every channel in `labels` whatever a plan drops, because of `reason`."""
        for label in np.unique(labels).tolist():
            root = self.find(label)
            reasons = self._reasons.setdefault(root, [])
            if root != FIXED and reason not in reasons:
                reasons.append(reason)

    def reasons(self, label: int) -> tuple[str, ...]:
        """Return why the channel is frozen; nothing where it is not."""
        return tuple(self._reasons.get(self.find(label), ()))

    def collapse_axes(self, labels: np.ndarray) -> np.ndarray:
        """Let the channel change along at most one axis: surgery cuts a tensor along one axis.

        Where it changes along several (a reshape from units to pixels, a concatenation of images side by side),
        the positions along all but the last of these axes are tied.
        """
        varying = [
            axis
            for axis in range(labels.ndim)
            if labels.shape[axis] > 1 and self._varies(labels, axis)
        ]
        for axis in varying[:-1]:
            self.tie(labels, labels.take([0], axis=axis))
        index = tuple(
            slice(None) if axis in varying[-1:] else slice(1) for axis in range(labels.ndim)
        )
        return np.ascontiguousarray(labels[index])

    def _varies(self, labels: np.ndarray, axis: int) -> bool:
        first = labels.take([0], axis=axis)
        if (labels == first).all():
            return False
        return bool((self.roots(labels) != self.roots(first)).any())

    def _union(self, one: int, other: int) -> None:
        one, other = self.find(one), self.find(other)
        if one == other:
            return
        keep, drop = min(one, other), max(one, other)
        if keep == FIXED:
            # Constants stay, so what is tied to one stays too; yet each channel keeps a number of its own, or all
            # that are tied to constants would be tied to each other.
            self.freeze(np.array([drop]), "tied to values that are no channels of a weight")
            return
        self._parent[drop] = keep
        for reason in self._reasons.pop(drop, []):
            self.freeze(np.array([keep]), reason)
