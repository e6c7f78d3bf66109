"""What an operation's latency depends on besides its channels: which steps take time, and the geometry of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from tfelastic._cost.layer_operations import FUSED, activation_name
from tfelastic._cost.lowering import lower
from tfelastic._cost.padding import padding_before
from tfelastic._plan import Selection
from tfelastic.graph import LayerGraph, Step, Tensor

# What a RESHAPE takes is lost beside anything that computes.
_FREE = frozenset(("RESHAPE",))

# The settings of a layer that its speed depends on, besides shapes and channels.
_SETTINGS = (
    "axis",
    "cropping",
    "depth_multiplier",
    "dilation_rate",
    "interpolation",
    "keepdims",
    "kernel_size",
    "padding",
    "pool_size",
    "shared_axes",
    "size",
    "strides",
)


@dataclass(frozen=True)
class Geometry:
    """What an operation's latency depends on besides its channel counts.

    Attributes:
        kind: The layer's class.
        shapes: The shape of each input without the batch, `None` in the place of the channels.
        settings: Names and values of the layer's settings that matter, sorted by name.
    """

    kind: str
    shapes: tuple[tuple[int | None, ...], ...]
    settings: tuple[tuple[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the geometry as plain data."""
        return {
            "kind": self.kind,
            "shapes": [list(shape) for shape in self.shapes],
            "settings": dict(self.settings),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Geometry":
        """Return the geometry that `to_json` gave."""
        settings = sorted((name, as_tuples(value)) for name, value in data["settings"].items())
        return cls(data["kind"], as_tuples(data["shapes"]), tuple(settings))

    def __str__(self) -> str:
        shapes = " and ".join(
            "x".join("C" if n is None else str(n) for n in shape) for shape in self.shapes
        )
        settings = ", ".join(f"{name}={value}" for name, value in self.settings)
        return f"{self.kind}({settings}) on {shapes}"


@dataclass(frozen=True, eq=False)
class TimedStep:
    """A step that takes time, and what no channel counts change of it.

    Attributes:
        step: The step.
        geometry: Its geometry.
        counted: The tensors whose channels its latency depends on.
    """

    step: Step
    geometry: Geometry
    counted: tuple[Tensor, ...]


# Which steps take time depends on the removed blocks alone. A search prices thousands of plans of the same graph.
_TIMED: WeakKeyDictionary[LayerGraph, dict[frozenset[str], tuple[TimedStep, ...]]] = (
    WeakKeyDictionary()
)


def find_timed(selection: Selection) -> tuple[TimedStep, ...]:
    """Return the steps that take time, in execution order, with what their latency depends on."""
    known = _TIMED.setdefault(selection.graph, {})
    removed = frozenset(selection.plan.removed)
    if removed not in known:
        operations = lower(selection).operations
        steps = dict.fromkeys(each.step for each in operations if each.kind not in _FREE)
        known[removed] = tuple(
            TimedStep(step, geometry_of(selection, step), _counted(selection, step))
            for step in steps
        )
    return known[removed]


def timed_steps(selection: Selection) -> tuple[Step, ...]:
    """Return the steps that take time: those that are not folded into another one, in execution order."""
    return tuple(each.step for each in find_timed(selection))


def weights_of(selection: Selection, step: Step) -> int:
    """Return how many weights a step reads under a plan."""
    return sum(map(selection.weight_size, getattr(step.op, "weights", ())))


def geometry_of(selection: Selection, step: Step) -> Geometry:
    """Return the geometry of a step: with that of a padding layer in whose place it pads."""
    config = step.op.get_config()
    settings = {name: as_tuples(config[name]) for name in _SETTINGS if config.get(name) is not None}
    if (activation := activation_name(step.op)) not in ("linear", *FUSED):
        settings["activation"] = activation
    if config.get("groups", 1) > 1:
        kernel = step.op.kernel.shape
        settings["per_group"] = (kernel[-2], kernel[-1] // config["groups"])
    inputs = step.inputs
    if (padding := padding_before(selection, step)) is not None:
        settings["padding"], inputs = "same", padding.inputs
    return Geometry(
        type(step.op).__name__,
        tuple(_opened(selection, tensor) for tensor in inputs),
        tuple(sorted(settings.items())),
    )


def channels_of(selection: Selection, step: Step) -> tuple[int, ...]:
    """Return the channel counts of a step under a plan: of its input and output, or of its output alone."""
    return tuple(channel_count(selection, tensor) for tensor in _counted(selection, step))


def _counted(selection: Selection, step: Step) -> tuple[Tensor, ...]:
    """Return the tensors whose channels a step's latency depends on."""
    output = step.outputs[0]
    return (step.inputs[0], output) if makes_channels(selection, step) else (output,)


def makes_channels(selection: Selection, step: Step) -> bool:
    """Whether a step's output may have other channels than its input."""
    grouped = getattr(step.op, "groups", 1) > 1
    return not grouped and any(
        binding.creates for binding in selection.graph.facts_of(step).bindings.values()
    )


def channel_axis(tensor: Tensor) -> int:
    """Return the axis of a tensor's channels, the batch being axis 0; the last one where they are fixed."""
    long = [axis for axis, length in enumerate(tensor.labels.shape, start=1) if length > 1]
    return long[0] if long else len(tensor.shape) - 1


def channel_count(selection: Selection, tensor: Tensor) -> int:
    """Return how many channels a tensor has under a plan; 1 where the number is open."""
    return selection.shape(tensor)[channel_axis(tensor)] or 1


def _opened(selection: Selection, tensor: Tensor) -> tuple[int | None, ...]:
    shape = list(selection.shape(tensor))
    shape[channel_axis(tensor)] = None
    return tuple(shape[1:])


def as_tuples(value: Any) -> Any:
    """Return a value with tuples in the place of its lists, however deep, so that it can be a key."""
    return tuple(map(as_tuples, value)) if isinstance(value, list | tuple) else value
