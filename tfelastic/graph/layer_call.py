"""`LayerCall`: what a rule sees of one call of a layer, and what it may state about it.

A *rule* is a function that explains one kind of layer to tfelastic. It gets a `LayerCall` and returns the channel
labels of the layer's outputs:

```python
@te.rule(MyScale)                                        # one learned factor per channel of the last axis
def my_scale(call):
    labels = call.channels_of(call.inputs[0], -1)        # the channel at each position of the last axis
    call.bind(call.layer.factor, 0, labels, role="scale")  # the factor's axis 0 holds the same channels
    return call.inputs[0].labels                         # the output carries the input's channels
```

A label array has one axis for each axis of the tensor but the batch; an axis along which the channel does not
change has length 1, so that numpy broadcasting does with labels what the layer does with values.
"""

import inspect
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import keras
import numpy as np

from tfelastic.graph.channels import FIXED, Channels
from tfelastic.graph.structure import Node, Spec

# What a weight does to its channels, and so how the widths of an elastic network treat it: kernels are shared;
# scales are shared up to a positive factor; shifts (biases) and running statistics belong to one width alone.
Role = Literal["kernel", "scale", "shift", "statistic"]


class NoRule(Exception):  # noqa: N818 - a signal, not an error: the call is opaque.
    """Raised by a rule that does not hold for this call; the channels that it touches are frozen with the reason."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """A symbolic tensor of the graph.

    Attributes:
        index: Its number within the graph.
        shape: Its shape, batch first; `None` where unknown.
        dtype: Its data type.
        labels: The channel at each position: one axis per axis of `shape` but the batch, each of full length or 1.
    """

    index: int
    shape: tuple[int | None, ...]
    dtype: str
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Binding:
    """Axis `axis` of `variable` holds the channels `labels`, in this order; `creates` where it makes them."""

    variable: keras.Variable
    axis: int
    labels: np.ndarray
    role: Role
    creates: bool = False


@dataclass(frozen=True, eq=False)
class Size:
    """A number in a layer's config that counts channels.

    Attributes:
        within: The fields that lead to the layer wrapped in this one whose config is meant; none for its own.
        field: The field of that config.
        item: The item of the field, where that is a list.
        labels: The channels whose kept ones are counted.
    """

    within: tuple[str, ...]
    field: str
    item: int | None
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Multiplications:
    """Each element of `variable` is multiplied `times` times per sample."""

    variable: keras.Variable
    times: int


@dataclass(eq=False)
class LayerFacts:
    """All that rules have stated about one layer, over all of its calls."""

    path: str
    bindings: dict[tuple[int, int], Binding] = field(default_factory=dict)
    sizes: dict[tuple[Any, ...], Size] = field(default_factory=dict)


# Traces a function: gets it, the labels and the spec of what enters it, and the facts of the layer that applies it.
Follow: TypeAlias = Callable[[Any, np.ndarray, Spec, LayerFacts], np.ndarray]


class LayerCall:
    """One call of one layer or operation.

    Attributes:
        layer: The layer or operation that is called.
        path: Its name, led by the names of the models it is nested in.
        args: The call's positional arguments, with a `Tensor` in the place of each tensor.
        kwargs: Its keyword arguments, likewise.
        inputs: The tensors among the arguments, flattened.
        outputs: Shape and dtype of each output.
    """

    def __init__(
        self,
        node: Node,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        outputs: Sequence[Spec],
        channels: Channels,
        facts: LayerFacts,
        follow: Follow,
    ) -> None:
        self.layer: Any = node.op
        self.path = facts.path
        self.args = args
        self.kwargs = kwargs
        self.inputs = tuple(
            leaf for leaf in keras.tree.flatten((args, kwargs)) if isinstance(leaf, Tensor)
        )
        self.outputs = tuple(outputs)
        self.multiplications: list[Multiplications] = []
        self.reduced_inputs: list[int] = []
        self._channels = channels
        self._facts = facts
        self._follow = follow
        self._touched: list[np.ndarray] = [tensor.labels for tensor in self.inputs]
        self._within: tuple[str, ...] = ()
        self._repeats: int | None = 1

    def argument(self, name: str) -> Any:
        """Return what the layer's `call` is given for its parameter `name`; `None` where it is given nothing."""
        names = list(inspect.signature(self.layer.call).parameters)
        return (dict(zip(names, self.args, strict=False)) | self.kwargs).get(name)

    def wrapped(
        self,
        layer: keras.Layer,
        config_field: str,
        args: tuple[Any, ...],
        *,
        outputs: Sequence[Spec],
        repeats: int | None = 1,
    ) -> "LayerCall":
        """Return the call of a layer that this one wraps; what its rule states is stated of this call as well.

        Args:
            layer: The wrapped layer.
            config_field: Where this layer's config holds it, serialized.
            args: The positional arguments of its call, with a `Tensor` in the place of each tensor.
            outputs: Shape and dtype of each of its outputs.
            repeats: How often this call calls it (`None`: unknown).
        """
        call = copy(self)
        call.layer, call.args, call.kwargs = layer, args, {}
        call.inputs = tuple(leaf for leaf in keras.tree.flatten(args) if isinstance(leaf, Tensor))
        call.outputs = tuple(outputs)
        call.reduced_inputs = []
        call._within = (*self._within, config_field)
        call._repeats = None if None in (repeats, self._repeats) else repeats * self._repeats  # type: ignore[operator]
        return call

    def channels_of(self, tensor: Tensor, axis: int) -> np.ndarray:
        """Return the labels along `axis` of `tensor` (the batch is axis 0), `[length]`.

        Raises:
            NoRule: The length of the axis is unknown, or the channel also changes along another axis.
        """
        axis %= len(tensor.shape)
        length = tensor.shape[axis]
        others = [n for i, n in enumerate(tensor.labels.shape, start=1) if i != axis]
        if axis == 0 or length is None or any(n > 1 for n in others):
            raise NoRule(f"its channels do not lie along axis {axis} of its input alone")
        return np.broadcast_to(tensor.labels.reshape(-1), length).copy()

    def creates(self, variable: keras.Variable, axis: int, *, role: Role = "kernel") -> np.ndarray:
        """State that `axis` of `variable` makes channels, and return their labels, `[length]`.

        A layer that is called twice makes the same channels twice.
        """
        axis %= len(variable.shape)
        key = (id(variable), axis)
        if key not in self._facts.bindings:
            labels = self._channels.create(variable.shape[axis])
            self._facts.bindings[key] = Binding(variable, axis, labels, role, creates=True)
        return self.bind(variable, axis, self._facts.bindings[key].labels, role=role)

    def bind(
        self, variable: keras.Variable, axis: int, labels: np.ndarray, *, role: Role = "kernel"
    ) -> np.ndarray:
        """State that `axis` of `variable` holds the channels `labels`, and return them.

        Raises:
            NoRule: The axis has another length.
        """
        axis %= len(variable.shape)
        if labels.shape != (variable.shape[axis],):
            raise NoRule(
                f"axis {axis} of {variable.name} has {variable.shape[axis]} entries, not {labels.shape}"
            )
        known = self._facts.bindings.get((id(variable), axis))
        if known:
            self.tie(known.labels, labels)
        else:
            self._facts.bindings[id(variable), axis] = Binding(variable, axis, labels, role)
        self._touched.append(labels)
        return labels

    def tie(self, first: np.ndarray, second: np.ndarray) -> None:
        """State that two label arrays are kept or dropped together, position by position (broadcasting like numpy)."""
        self._channels.tie(first, second)

    def collapse_axes(self, labels: np.ndarray) -> np.ndarray:
        """Return an output's labels with at most one axis longer than 1; positions along the others are tied."""
        return self._channels.collapse_axes(labels)

    def follow(self, function: Any, labels: np.ndarray) -> np.ndarray:
        """Return the labels after a function or layer that the call applies to its first output as its activation.

        Raises:
            NoRule: The function cannot be traced, or it does something that no rule describes.
        """
        return self._follow(function, labels, self.outputs[0], self._facts)

    def freeze(self, labels: np.ndarray, reason: str) -> None:
        """State that no plan may drop `labels`; `reason` completes the sentence "LAYER ...", for the report."""
        self._channels.freeze(labels, f"{self.path} {reason}")

    def freeze_all(self, reason: str) -> None:
        """Freeze every channel that this call has touched so far."""
        for labels in self._touched:
            self.freeze(labels, reason)

    def resizes(self, config_field: str, labels: np.ndarray, *, item: int | None = None) -> None:
        """State that a number in the layer's config counts the kept channels of `labels`."""
        size = Size(self._within, config_field, item, labels)
        self._facts.sizes.setdefault((*self._within, config_field, item), size)

    def multiplies(self, variable: keras.Variable, times: int | None) -> None:
        """State that each element of `variable` is multiplied `times` times per sample (`None`: unknown)."""
        self.multiplications.append(Multiplications(variable, (times or 0) * (self._repeats or 0)))

    def reduces(self, position: int = 0) -> None:
        """State that input number `position` is summed over its channels, so a dropped channel counts as zero."""
        self.reduced_inputs.append(position)

    def fixed(self, position: int = 0) -> np.ndarray:
        """Return the labels of an output that carries no channels."""
        return np.full((1,) * (len(self.outputs[position].shape) - 1), FIXED)

    def along(self, labels: np.ndarray, axis: int, *, output: int = 0) -> np.ndarray:
        """Return the label array of an output whose channels `labels` lie along tensor axis `axis`."""
        rank = len(self.outputs[output].shape)
        shape = [1] * (rank - 1)
        shape[axis % rank - 1] = -1
        return labels.reshape(shape)

    def spread(self, tensor: Tensor) -> np.ndarray:
        """Return the labels of `tensor` with every axis at its full length.

        Raises:
            NoRule: A length is unknown.
        """
        lengths = [length for length in tensor.shape[1:] if length is not None]
        if len(lengths) < len(tensor.shape) - 1:
            raise NoRule(f"its input's shape {tensor.shape} is not fully known")
        return np.broadcast_to(tensor.labels, lengths)
