"""Forms groups out of tied channels."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from tfelastic.graph.channels import FIXED, Channels
from tfelastic.graph.elements import Group, Member
from tfelastic.graph.layer_call import Binding, LayerFacts, Tensor


def form_groups(
    channels: Channels, facts: dict[int, LayerFacts], tensors: Iterable[Tensor]
) -> tuple[tuple[Group, ...], np.ndarray]:
    """Gather the tied sets of channels into groups.

    Tied sets that stand on the same axes, of weights and of tensors, form one group; each set is one of its
    units. A layer whose channels go different ways (a Concatenate followed by an Add, a split) thus has part in
    several groups; and as every group keeps a unit, no axis is ever left without channels.

    Returns:
        The groups in order of creation, and the group and unit number of every label, `[labels, 2]`, -1 where a
        label stands for no channel.
    """
    bindings = [(f.path, binding) for f in facts.values() for binding in f.bindings.values()]
    arrays = [*(b.labels for _, b in bindings), *(tensor.labels.ravel() for tensor in tensors)]
    axes = list({labels.tobytes(): labels for labels in arrays}.values())
    kinds = _tied_sets(channels, axes)
    unit_of = np.full((len(channels), 2), -1)
    for number, (_, units) in enumerate(kinds):
        for unit, tied in enumerate(units):
            unit_of[tied] = number, unit

    members_of = _members(bindings, unit_of)
    broken = _unorderly(axes, unit_of)
    names = _Names()
    groups = []
    for number, (reasons, units) in enumerate(kinds):
        members = members_of[number]
        groups.append(
            Group(
                name=names.next(members[0].layer),
                size=len(units),
                channels=_span(members[0]) // len(units),
                members=tuple(members),
                frozen=reasons,
                permutable=number not in broken,
            )
        )
    return tuple(groups), unit_of


def _tied_sets(
    channels: Channels, axes: Sequence[np.ndarray]
) -> list[tuple[tuple[str, ...], list[list[int]]]]:
    """Return, for each group, why it is frozen and the labels of each of its units."""
    root_of = channels.roots(np.arange(len(channels)))
    places: dict[int, list[int]] = defaultdict(list)
    for number, labels in enumerate(axes):
        for root in np.unique(root_of[labels]).tolist():
            places[root].append(number)
    sets: dict[int, list[int]] = defaultdict(list)
    for label, root in enumerate(root_of.tolist()):
        sets[root].append(label)
    sets.pop(FIXED)
    # The reasons are part of the key: of a layer's channels some may be frozen (by a slice) and the others not.
    kinds: dict[tuple[tuple[int, ...], tuple[str, ...]], list[list[int]]] = defaultdict(list)
    for root, tied in sets.items():
        kinds[tuple(places[root]), channels.reasons(root)].append(tied)
    return [(reasons, units) for (_, reasons), units in kinds.items()]


class _Names:
    """Gives the second group of a layer the suffix `#2`, and so on."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = defaultdict(int)

    def next(self, layer: str) -> str:
        self._seen[layer] += 1
        return layer if self._seen[layer] == 1 else f"{layer}#{self._seen[layer]}"


def _members(
    bindings: Sequence[tuple[str, Binding]], unit_of: np.ndarray
) -> dict[int, list[Member]]:
    """Return each group's members: runs of positions along weight axes."""
    members: dict[int, list[Member]] = defaultdict(list)
    for path, binding in bindings:
        owner = unit_of[binding.labels, 0]
        for number in dict.fromkeys(owner[owner >= 0].tolist()):
            positions = np.flatnonzero(owner == number)
            unit = unit_of[binding.labels[positions], 1]
            breaks = np.flatnonzero((np.diff(positions) != 1) | (np.diff(unit) < 0)) + 1
            ranges = tuple((int(run[0]), int(run[-1]) + 1) for run in np.split(positions, breaks))
            members[number].append(Member(path, binding.variable.name, binding.axis, ranges))
    return members


def _span(member: Member) -> int:
    return sum(stop - start for start, stop in member.ranges)


def segments(owner: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Number the maximal runs in which one group's units stand in ascending order, `[length]`."""
    return np.concatenate([[0], np.cumsum((np.diff(owner) != 0) | (np.diff(unit) < 0))]).astype(
        np.int64
    )


def _unorderly(axes: Iterable[np.ndarray], unit_of: np.ndarray) -> set[int]:
    """Return the groups that cannot be re-ordered.

    Re-ordering works run by run, so each run must hold all units of its group, each equally often; what reverses
    or cuts an axis makes runs that do not.
    """
    sizes = {
        int(g): int(unit_of[unit_of[:, 0] == g, 1].max()) + 1
        for g in np.unique(unit_of[:, 0])
        if g >= 0
    }
    broken: set[int] = set()
    for labels in axes:
        owner, unit = unit_of[labels].T
        run = segments(owner, unit)
        for number in np.unique(run):
            group = int(owner[run == number][0])
            if group < 0 or group in broken:
                continue
            counts = np.bincount(unit[run == number], minlength=sizes[group])
            if counts.min() != counts.max():
                broken.add(group)
    return broken
