"""What a traced graph is made of: steps, groups of coupled channels and their members, residual blocks."""

from dataclasses import dataclass

import keras

from tfelastic.graph.layer_call import Multiplications, Tensor


@dataclass(frozen=True, eq=False)
class Step:
    """One call in execution order, nested models flattened.

    Attributes:
        path: The layer's name, led by the names of the models it is nested in.
        op: The layer or operation.
        inputs: The tensors it reads.
        outputs: The tensors it makes.
        multiplications: Which weights it multiplies, how often per sample.
        reduced_inputs: The numbers of the inputs that it sums over channels.
        opaque: Why no rule describes it, so that the channels entering it are frozen; `None` where one does.
    """

    path: str
    op: keras.Operation
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    multiplications: tuple[Multiplications, ...]
    reduced_inputs: tuple[int, ...]
    opaque: str | None


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
    """Channels that are kept or dropped together across layers, unit by unit.

    Attributes:
        name: The path of the layer that creates them (with `#2`, ... where one layer feeds several groups).
        size: How many units there are; a plan keeps or drops units, never a part of one.
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
