"""`cost`: what a model, or a plan for it, takes in parameters, multiplications and activation memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import keras

from tfelastic._cost.lowering import lower
from tfelastic._cost.memory import peak_bytes
from tfelastic._plan import KeepPlan, Selection
from tfelastic.errors import CostError
from tfelastic.graph import LayerGraph, Step, trace


@dataclass(frozen=True)
class LayerCost:
    """What one layer takes.

    Attributes:
        path: The layer's name, led by the names of the models it is nested in.
        kind: The layer's class.
        params: Its parameters, trained or not; shared ones are counted at the layer's first call.
        macs: Its multiply-accumulate operations per sample, over all calls.
        activation_bytes: The size of its outputs per sample, over all calls, at one byte per value (int8).
        output_shape: The shape of its last output, batch first.
        guessed: Whether it is not known what the converter makes of the layer, so that its share of memory and file
            size is a guess.
    """

    path: str
    kind: str
    params: int
    macs: int
    activation_bytes: int
    output_shape: tuple[int | None, ...]
    guessed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the cost as plain data."""
        return {**self.__dict__, "output_shape": list(self.output_shape)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LayerCost":
        """Return the cost that `to_json` gave."""
        return cls(**{**data, "output_shape": tuple(data["output_shape"])})


@dataclass(frozen=True)
class Cost:
    """What a model takes, in total and layer by layer.

    Attributes:
        params: Parameters, trained or not, as `keras.Model.count_params` counts them.
        macs: Multiply-accumulate operations per sample of convolutions and dense layers, biases not counted.
        peak_bytes: The most activation memory that is needed at one moment, per sample at one byte per value (int8),
            in execution order; elementwise operations write in place where they can.
        peak_bytes_float: The same at four bytes per value (float32).
        layers: The cost of every layer, in execution order.
    """

    params: int
    macs: int
    peak_bytes: int
    peak_bytes_float: int
    layers: tuple[LayerCost, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the cost as plain data."""
        return {**self.__dict__, "layers": [layer.to_json() for layer in self.layers]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Cost":
        """Return the cost that `to_json` gave."""
        return cls(
            **{**data, "layers": tuple(LayerCost.from_json(layer) for layer in data["layers"])}
        )

    @property
    def guessed(self) -> tuple[str, ...]:
        """The paths of the layers whose share of memory and file size is a guess."""
        return tuple(layer.path for layer in self.layers if layer.guessed)

    def __str__(self) -> str:
        guess = f" (a guess for {', '.join(self.guessed)})" if self.guessed else ""
        return (
            f"{self.params:,} parameters, {self.macs:,} MACs, "
            f"{self.peak_bytes:,} bytes of int8 activations at the peak{guess}"
        )


def cost(model: keras.Model | LayerGraph, plan: KeepPlan | None = None) -> Cost:
    """Count what a model takes, or what it would take once `plan` is carried out; nothing is built.

    Args:
        model: A functional or sequential model, or its graph.
        plan: A plan for it; without one the model is counted as it is.

    Raises:
        CostError: The model's spatial input shape is not fully known.
        PlanError: The plan was made for another model.

    Examples:
        >>> import keras, tfelastic as te
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])
        >>> print(te.cost(model))
        112 parameters, 3,888 MACs, 336 bytes of int8 activations at the peak
    """
    graph = model if isinstance(model, LayerGraph) else trace(model)
    return cost_of(Selection(graph, plan))


def activation_bytes(model: keras.Model | LayerGraph, plan: KeepPlan | None = None) -> int:
    """Return the bytes of all int8 activations that one inference makes, those that it frees again included.

    Args:
        model: A functional or sequential model, or its graph.
        plan: A plan for it; without one the model is counted as it is.

    Examples:
        >>> import keras, tfelastic as te
        >>> te.activation_bytes(keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)]))
        336
    """
    graph = model if isinstance(model, LayerGraph) else trace(model)
    return sum(lower(Selection(graph, plan)).sizes)


def cost_of(selection: Selection) -> Cost:
    """Count what remains of a graph under a plan."""
    graph = selection.graph
    for tensor in graph.outputs:
        _check_known(graph, selection.shape(tensor))
    params, lowered = params_of(selection), lower(selection)
    layers: dict[str, LayerCost] = {}
    for step in selection.steps:
        shapes = [selection.shape(tensor) for tensor in step.outputs]
        for shape in shapes:
            _check_known(graph, shape)
        before = layers.get(step.path)
        layers[step.path] = LayerCost(
            path=step.path,
            kind=type(step.op).__name__,
            params=params[step.path],
            macs=(before.macs if before else 0) + step_macs(selection, step),
            activation_bytes=(before.activation_bytes if before else 0)
            + sum(prod(n or 0 for n in shape[1:]) for shape in shapes),
            output_shape=shapes[-1],
            guessed=step.path in lowered.guessed,
        )
    return Cost(
        params=sum(layer.params for layer in layers.values()),
        macs=sum(layer.macs for layer in layers.values()),
        peak_bytes=peak_bytes(lowered, bytes_per_value=1),
        peak_bytes_float=peak_bytes(lowered, bytes_per_value=4),
        layers=tuple(layers.values()),
    )


def macs_of(selection: Selection) -> int:
    """Return the multiply-accumulate operations that remain of a graph under a plan, per sample.

    Raises:
        CostError: The model's spatial input shape is not fully known.
    """
    for step in selection.steps:
        for tensor in step.outputs:
            _check_known(selection.graph, selection.shape(tensor))
    return sum(step_macs(selection, step) for step in selection.steps)


def step_macs(selection: Selection, step: Step) -> int:
    """Return how many multiply-accumulate operations a step takes under a plan."""
    return sum(m.times * selection.weight_size(m.variable) for m in step.multiplications)


def _check_known(graph: LayerGraph, shape: tuple[int | None, ...]) -> None:
    if None in shape[1:]:
        raise CostError(
            f"the cost of model {graph.model.name!r} depends on its input size, which it leaves open (a layer's output "
            f"is {shape}); fix it, for example with keras.models.clone_model(model, input_tensors="
            "keras.Input((128, 128, 3))), or limit parameters alone, which do not depend on it"
        )


def layer_params(model: keras.Model | LayerGraph, plan: KeepPlan | None = None) -> dict[str, int]:
    """Return the parameters of every layer, by its path; shared ones count at their first layer.

    Unlike `cost` it needs no input size.

    Args:
        model: A functional or sequential model, or its graph.
        plan: A plan for it; without one the model is counted as it is.

    Raises:
        PlanError: The plan was made for another model.

    Examples:
        >>> import keras, tfelastic as te
        >>> model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3, name="stem")])
        >>> te.layer_params(model)
        {'stem': 112}
    """
    graph = model if isinstance(model, LayerGraph) else trace(model)
    return params_of(Selection(graph, plan))


def params_of(selection: Selection) -> dict[str, int]:
    """Return the parameters of every layer of a selection, by its path."""
    found: dict[str, int] = {}
    counted: set[int] = set()
    for step in selection.steps:
        if step.path not in found:
            weights = step.op.weights if isinstance(step.op, keras.Layer) else []
            fresh = [weight for weight in weights if id(weight) not in counted]
            counted.update(map(id, fresh))
            found[step.path] = sum(map(selection.weight_size, fresh))
    return found
