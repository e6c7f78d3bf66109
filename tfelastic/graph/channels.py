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
        self._parent: list[int] = [FIXED]
        self._reasons: dict[int, list[str]] = {FIXED: ["not a channel of any weight"]}

    def __len__(self) -> int:
        return len(self._parent)

    def create(self, count: int) -> np.ndarray:
        """Return the labels of `count` new channels, `[count]`, that one weight axis creates."""
        first = len(self._parent)
        labels = np.arange(first, first + count)
        self._parent.extend(labels.tolist())
        return labels

    def find(self, label: int) -> int:
        """Return the representative of the tied set that `label` belongs to."""
        root = label
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[label] != root:
            self._parent[label], label = root, self._parent[label]
        return root

    def roots(self, labels: np.ndarray) -> np.ndarray:
        """Return the representatives of `labels`, in the same shape."""
        unique, inverse = np.unique(labels, return_inverse=True)
        found = np.array([self.find(int(label)) for label in unique], dtype=np.int64)
        return found[inverse].reshape(labels.shape)

    def tie(self, first: np.ndarray, second: np.ndarray) -> None:
        """Tie the channels of two label arrays position by position, broadcasting like numpy."""
        first, second = np.broadcast_arrays(first, second)
        pairs = np.unique(np.stack([first.ravel(), second.ravel()], axis=1), axis=0)
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
        if (labels == labels.take([0], axis=axis)).all():
            return False
        roots = self.roots(labels)
        return bool((roots != roots.take([0], axis=axis)).any())

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
