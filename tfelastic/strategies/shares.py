"""`Shares`: how a network's complexity is attributed to its groups.

A layer's complexity belongs to the groups whose channels the layer puts out, in proportion to how many channels of
each it puts out. So a convolution's belongs to the group of its filters; where layers are coupled, each adds to
their one group; and so does what works channel by channel (BatchNorm, depthwise convolution, addition). What puts
out no channels belongs to no group. It counts towards the total all the same, so the shares of all groups add up to
1 at most.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import keras
import numpy as np

from tfelastic._cost import Lowered, lower, needed, step_macs
from tfelastic._plan import Selection
from tfelastic.errors import BudgetError
from tfelastic.graph import Step

Mode = Literal["params", "flops", "memory", "peak"]


@dataclass(frozen=True)
class Shares:
    """How a network's complexity is spread over its groups.

    Attributes:
        total: The network's complexity: a number of parameters, of operations or of bytes.
        attribution: How much of it belongs to each group, by the group's name.
    """

    total: int
    attribution: Mapping[str, float]

    def of(self, group: str) -> float:
        """Return a group's share of the total, 0 to 1."""
        return self.attribution.get(group, 0.0) / self.total


def shares(selection: Selection, mode: Mode, *, among: Collection[str] | None = None) -> Shares:
    """Return how the complexity of a graph under a plan is spread over its groups.

    Args:
        selection: The graph under the plan.
        mode: What complexity is: `"params"`, parameters; `"flops"`, multiply-accumulate operations; `"memory"`, the
            bytes of all int8 activations that a device makes in a run; `"peak"`, the bytes of those that it holds
            at once at the moment when they are most.
        among: The groups that may still shrink. Where none of them has a part in the peak, the next most
            crowded moment at which one does takes its place.

    Raises:
        BudgetError: The mode is unknown.
    """
    if mode not in get_args(Mode):
        raise BudgetError(
            f"unknown mode {mode!r} of complexity; known: {', '.join(get_args(Mode))}"
        )
    steps = selection.steps
    if mode == "params":
        counted: set[int] = set()
        return _split(selection, [(step, _params(selection, step, counted)) for step in steps])
    if mode == "flops":
        return _split(selection, [(step, step_macs(selection, step)) for step in steps])
    lowered = lower(selection)
    if mode == "memory":
        return _split(selection, _values(lowered, np.arange(len(lowered.sizes))))
    return _at_the_peak(selection, lowered, among)


def _at_the_peak(selection: Selection, lowered: Lowered, among: Collection[str] | None) -> Shares:
    """Split the most crowded moment that `among` have a part in; the total is always the most crowded one's."""
    alive = needed(lowered)
    by_crowd = np.argsort(-(alive @ np.array(lowered.sizes)), kind="stable")
    total = None
    for moment in by_crowd:
        found = _split(selection, _values(lowered, np.flatnonzero(alive[moment])))
        total = total or found.total
        if among is None or not found.attribution.keys().isdisjoint(among):
            return Shares(total, found.attribution)
    return Shares(total or 0, {})


def _values(lowered: Lowered, numbers: np.ndarray) -> list[tuple[Step | None, int]]:
    makers = {value: op.step for op in lowered.operations for value in op.makes}
    return [(makers.get(value), lowered.sizes[value]) for value in numbers.tolist()]


def _params(selection: Selection, step: Step, counted: set[int]) -> int:
    if not isinstance(step.op, keras.Layer):
        return 0
    fresh = [weight for weight in step.op.weights if id(weight) not in counted]
    counted.update(map(id, fresh))
    return sum(map(selection.weight_size, fresh))


def _split(selection: Selection, spent: Iterable[tuple[Step | None, int]]) -> Shares:
    """Add up what steps spend, and hand it to the groups whose channels they put out."""
    total, attribution = 0, Counter[int]()
    for step, amount in spent:
        total += amount
        if step is not None and amount:
            attribution.update({group: amount * part for group, part in _owners(selection, step)})
    names = [group.name for group in selection.graph.groups]
    return Shares(total, {names[number]: amount for number, amount in attribution.items()})


def _owners(selection: Selection, step: Step) -> list[tuple[int, float]]:
    """Return the numbers of the groups whose channels a step puts out, and how much of all each group puts out."""
    labels = np.concatenate([tensor.labels.ravel() for tensor in step.outputs])
    owner = selection.graph.unit_of[labels, 0]
    if owner[0] >= 0 and (owner == owner[0]).all():
        return [(int(owner[0]), 1.0)]
    counts = [(number, selection.count(labels[owner == number])) for number in np.unique(owner)]
    total = sum(count for _, count in counts)
    return [(int(number), count / total) for number, count in counts if number >= 0 and total]
