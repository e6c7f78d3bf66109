"""A plan worked out on a graph: which positions of every axis stay, and which steps are still needed."""

from functools import cached_property
from math import prod

import keras
import numpy as np

from tfelastic._plan.keep_plan import KeepPlan
from tfelastic.graph import LayerGraph, Step, Tensor, segments

_DROPPED = -1


class Selection:
    """What `plan` means for every axis of every weight and tensor of `graph`.

    Args:
        graph: The traced model.
        plan: A plan made for it; `None` keeps everything.

    Raises:
        PlanError: The plan belongs to another model.
    """

    def __init__(self, graph: LayerGraph, plan: KeepPlan | None = None) -> None:
        self.graph = graph
        self.plan = plan or KeepPlan(graph.fingerprint)
        self.plan.check(graph)
        ranks = [np.arange(group.size) for group in graph.groups]
        for number, group in enumerate(graph.groups):
            if group.name in self.plan.keep:
                units = list(self.plan.keep[group.name])
                ranks[number] = np.full(group.size, _DROPPED)
                ranks[number][units] = np.arange(len(units))
        starts = np.cumsum([0, *(len(each) for each in ranks)])
        flat = np.concatenate([*ranks, [0]])
        group_of, unit = graph.unit_of.T
        self._rank = np.where(
            group_of >= 0, flat[np.where(group_of >= 0, starts[group_of] + unit, 0)], 0
        )
        self._taken: dict[bytes, np.ndarray] = {}

    def take(self, labels: np.ndarray) -> np.ndarray:
        """Return the kept positions of an axis, in their new order.

        Run by run: within a run of one group's units the kept ones stand in the plan's order, so an axis that
        repeats a group (after Flatten or Concatenate) keeps a union of prefixes of a re-ordered group.

        Args:
            labels: The channels along the axis, `[length]`.

        Returns:
            Positions, `[kept]`.
        """
        key = labels.tobytes()
        # The weights of a layer and of those around it hold the same channels.
        if key not in self._taken:
            owner, unit = self.graph.unit_of[labels].T
            rank = self._rank[labels]
            order = np.lexsort((rank * (owner >= 0), segments(owner, unit)))
            self._taken[key] = order[rank[order] != _DROPPED]
        return self._taken[key]

    def count(self, labels: np.ndarray) -> int:
        """Return how many positions of an axis with channels `labels` are kept."""
        return int((self._rank[labels] != _DROPPED).sum())

    def shape(self, tensor: Tensor) -> tuple[int | None, ...]:
        """Return the shape of `tensor` in the pruned model, batch first."""
        lengths = list(tensor.shape)
        for axis, length in enumerate(tensor.labels.shape, start=1):
            if length > 1:
                lengths[axis] = self.count(tensor.labels.reshape(-1))
        return tuple(lengths)

    def weight_shape(self, variable: keras.Variable) -> tuple[int, ...]:
        """Return the shape of a weight in the pruned model."""
        bindings = self.graph.bindings_of(variable)
        return tuple(
            self.count(bindings[axis].labels) if axis in bindings else length
            for axis, length in enumerate(variable.shape)
        )

    def weight_size(self, variable: keras.Variable) -> int:
        """Return how many numbers a weight holds in the pruned model."""
        return prod(self.weight_shape(variable))

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps that the pruned model still takes, in execution order."""
        needed: set[Step] = set()
        open_tensors = list(self.graph.outputs)
        while open_tensors:
            step = self.maker(open_tensors.pop())
            if step and step not in needed:
                needed.add(step)
                open_tensors.extend(step.inputs)
        return tuple(step for step in self.graph.steps if step in needed)

    @cached_property
    def sources(self) -> dict[int, int]:
        """For the number of each tensor that a removed block made, that of the tensor in its place."""
        shortcut = {b.end: b.start for b in self.graph.blocks if b.name in self.plan.removed}
        found = {}
        for end in shortcut:
            found[end] = end
            while found[end] in shortcut:
                found[end] = shortcut[found[end]]
        return found

    def maker(self, tensor: Tensor) -> Step | None:
        """Return the step that makes a tensor, or the one in its place; None for an input of the model."""
        return self.graph.makers.get(self.sources.get(tensor.index, tensor.index))
