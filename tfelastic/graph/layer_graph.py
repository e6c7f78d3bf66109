"""The traced graph of a Keras model: its steps, its groups of coupled channels, its residual blocks."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from tfelastic.errors import GraphError
from tfelastic.graph.describe import describe
from tfelastic.graph.site import LayerFacts, Multiplications, Tensor
from tfelastic.graph.trace import Structure


@dataclass(frozen=True, eq=False)
class Step:
    """One call in execution order, nested models flattened.

    Attributes:
        path: The layer's name, led by the names of the models it is nested in.
        op: The layer or operation.
        inputs: The tensors it reads.
        outputs: The tensors it makes.
        multiplications: Which weights it multiplies, how often per sample.
        mixed: The numbers of the inputs that it sums over channels.
        whole: Why it has no rule and is left whole; `None` where it has one.
    """

    path: str
    op: keras.Operation
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    multiplications: tuple[Multiplications, ...]
    mixed: tuple[int, ...]
    whole: str | None


@dataclass(frozen=True)
class Member:
    """The part that one weight axis plays in a group.

    Attributes:
        layer: The layer's path.
        variable: The weight's name.
        axis: The axis of the weight.
        ranges: The positions along the axis, as half-open ranges.
    """

    layer: str
    variable: str
    axis: int
    ranges: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        spans = ", ".join(f"{start}:{stop}" for start, stop in self.ranges[:3])
        more = ", ..." if len(self.ranges) > 3 else ""
        return f"{self.layer} {self.variable} axis {self.axis} [{spans}{more}]"


@dataclass(frozen=True)
class Group:
    """Channels that live or die together across layers, unit by unit.

    Attributes:
        name: The path of the layer that creates them (with `#2`, ... where one layer feeds several groups).
        size: How many units there are; a plan keeps or drops whole units.
        channels: How many channels of the creating layer one unit holds: 1, or more in grouped convolutions.
        members: Every weight axis that the units are slices of.
        frozen: Why no unit may be dropped; empty where all may.
        permutable: Whether the units may be re-ordered as well as dropped.
    """

    name: str
    size: int
    channels: int
    members: tuple[Member, ...]
    frozen: tuple[str, ...]
    permutable: bool

    def __str__(self) -> str:
        unit = (
            f"{self.size} channels"
            if self.channels == 1
            else f"{self.size} units of {self.channels} channels"
        )
        state = f"; frozen: {'; '.join(self.frozen)}" if self.frozen else ""
        return f"group {self.name}: {unit}, coupled in {'; '.join(map(str, self.members))}{state}"


@dataclass(frozen=True)
class Block:
    """A residual part that can be removed: its result is added to the tensor it started from.

    Attributes:
        name: The path of the layer that adds.
        layers: The paths of the layers that only this block uses.
        start: The number of the tensor that enters it, and takes its place when it is removed.
        end: The number of the tensor that leaves it.
        shortcut: Which of the addition's two operands the shortcut is.
    """

    name: str
    layers: tuple[str, ...]
    start: int
    end: int
    shortcut: int

    def __str__(self) -> str:
        count = "1 layer" if len(self.layers) == 1 else f"{len(self.layers)} layers"
        return f"block {self.name}: {count} ({', '.join(self.layers)})"


@dataclass(frozen=True, eq=False)
class LayerGraph:
    """A traced model: what it computes, and which channels and blocks can be taken out of it.

    Made by `tfelastic.trace`. Use `groups` and `blocks` to look, `tfelastic.plan` to decide.

    Attributes:
        structure: The call graph.
        steps: Every call in execution order, nested models flattened.
        facts: What is known of each layer, by the layer's `id`.
        groups: The groups of coupled channels, prunable and frozen, in order of creation.
        blocks: The removable residual parts, in execution order.
        unit_of: For each channel label its group's number and its unit's number in the group, `[labels, 2]`.
        outputs: The tensors that the model returns.
    """

    structure: Structure
    steps: tuple[Step, ...]
    facts: dict[int, LayerFacts]
    groups: tuple[Group, ...]
    blocks: tuple[Block, ...]
    unit_of: np.ndarray
    outputs: tuple[Tensor, ...]

    def __str__(self) -> str:
        return describe(self)

    @property
    def model(self) -> keras.Model:
        """The model that was traced."""
        return self.structure.model

    @cached_property
    def prunable(self) -> tuple[Group, ...]:
        """The groups that a plan may prune."""
        return tuple(group for group in self.groups if not group.frozen)

    def group(self, name: str) -> Group:
        """Return the group of that name, or raise `GraphError` with the names there are."""
        for group in self.groups:
            if group.name == name:
                return group
        known = ", ".join(group.name for group in self.groups)
        raise GraphError(f"model {self.model.name!r} has no group {name!r}; it has {known}")

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what plans refer to: operations, shapes, groups and blocks, but no weight values."""
        facts: dict[str, Any] = {
            "steps": [
                [s.path, type(s.op).__name__, [list(t.shape) for t in s.outputs]]
                for s in self.steps
            ],
            "groups": [[g.name, g.size, list(map(str, g.members))] for g in self.groups],
            "blocks": [[b.name, list(b.layers)] for b in self.blocks],
        }
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def bindings_of(self, group: Group) -> Iterator[tuple[Any, np.ndarray]]:
        """Yield every binding that touches `group`, with the unit number at each position (-1: another group)."""
        number = self.groups.index(group)
        for facts in self.facts.values():
            for binding in facts.bindings.values():
                owner, unit = self.unit_of[binding.labels].T
                if (owner == number).any():
                    yield binding, np.where(owner == number, unit, -1)
