"""Reads a Keras model's call graph: the one place that touches Keras' private graph attributes.

A functional model records each call of a layer or operation in a node. `read` turns those records into a
`Structure`: plain data that names no Keras internals, in execution order, with nested models kept as
structures of their own. Everything else in tfelastic works on structures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from tfelastic.errors import GraphError


@dataclass(frozen=True)
class Ref:
    """A tensor of a structure, by its number."""

    index: int


@dataclass(frozen=True)
class Spec:
    """What is known of a tensor before any data: `shape` with the batch first (`None`: unknown), and `dtype`."""

    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer or operation.

    Attributes:
        op: The layer or operation that was called.
        args: Its positional arguments, with a `Ref` in the place of every tensor.
        kwargs: Its keyword arguments, likewise.
        outputs: The tensors it returned, flattened.
        body: The inside of `op` where that is itself a functional model.
    """

    op: keras.Operation
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Ref, ...]
    body: "Structure | None"


@dataclass(frozen=True, eq=False)
class Structure:
    """The call graph of one functional model.

    Attributes:
        model: The model that was read.
        inputs: The model's inputs, flattened.
        input_names: The names of their input layers.
        input_structure: The nesting (list, dict) in which the model takes its inputs.
        outputs: The model's outputs in the nesting in which it returns them.
        calls: Every call, in execution order.
        specs: Shape and dtype of every tensor.
    """

    model: keras.Model
    inputs: tuple[Ref, ...]
    input_names: tuple[str, ...]
    input_structure: Any
    outputs: Any
    calls: tuple[Call, ...]
    specs: dict[Ref, Spec]

    def run(
        self, inputs: Sequence[Any], apply: Callable[[Call, tuple[Any, ...], dict[str, Any]], Any]
    ) -> Any:
        """Interpret the graph: feed `inputs`, let `apply` carry out each call, return the outputs.

        What a value is, is up to `apply`: arrays, symbolic tensors, channel labels.

        Args:
            inputs: One value per model input, flattened.
            apply: Gets a call and its arguments with values in the place of tensors; returns the outputs.

        Returns:
            The values of the model's outputs, nested as the model nests them.
        """
        values: dict[Ref, Any] = dict(zip(self.inputs, inputs, strict=True))

        def fill(arguments: Any) -> Any:
            return keras.tree.map_structure(
                lambda leaf: values[leaf] if isinstance(leaf, Ref) else leaf, arguments
            )

        for call in self.calls:
            results = keras.tree.flatten(apply(call, fill(call.args), fill(call.kwargs)))
            values.update(zip(call.outputs, results, strict=True))
        return fill(self.outputs)


def read(model: keras.Model) -> Structure:
    """Return the call graph of a functional or sequential model.

    Args:
        model: A built `keras.Sequential` or a model made from `keras.Input`s; nested models are read too.

    Raises:
        GraphError: `model` is subclassed, not built, or no Keras model at all.
    """
    return _read(model, {})


def _read(model: keras.Model, known: dict[int, Structure]) -> Structure:
    if id(model) not in known:
        known[id(model)] = _Reader(_functional(model), model, known).read()
    return known[id(model)]


def _functional(model: keras.Model) -> Any:
    """Return the object that holds the nodes of `model`."""
    if not isinstance(model, keras.Model):
        raise GraphError(
            f"expected a keras.Model, received {type(model).__name__}; pass a functional or sequential model"
        )
    if isinstance(model, keras.Sequential):
        functional = model._functional
        if functional is None:
            raise GraphError(
                f"the sequential model {model.name!r} is not built, so its shapes are unknown; put a "
                "keras.Input(shape) first, or call it once on data"
            )
        return functional
    if not hasattr(model, "_nodes_by_depth"):
        raise GraphError(
            f"the model {model.name!r} ({type(model).__name__}) is subclassed: its call() is Python code that "
            "cannot be traced; rebuild it with the functional API, keras.Model(inputs, outputs), for example "
            "from inputs = keras.Input(shape) and outputs = model.call(inputs)"
        )
    return model


class _Reader:
    """Gathers one model's structure."""

    def __init__(self, functional: Any, model: keras.Model, known: dict[int, Structure]) -> None:
        self._functional = functional
        self._model = model
        self._known = known
        self._refs: dict[int, Ref] = {}
        self._specs: dict[Ref, Spec] = {}

    def read(self) -> Structure:
        inputs = tuple(self._ref(tensor) for tensor in self._functional.inputs)
        calls = tuple(
            self._call(node)
            for depth in sorted(self._functional._nodes_by_depth, reverse=True)
            for node in self._functional._nodes_by_depth[depth]
            if not node.is_input and any(id(t) not in self._refs for t in node.outputs)
        )
        return Structure(
            model=self._model,
            inputs=inputs,
            input_names=tuple(t._keras_history.operation.name for t in self._functional.inputs),
            input_structure=self._swap(self._functional._inputs_struct),
            outputs=self._swap(self._functional._outputs_struct),
            calls=calls,
            specs=self._specs,
        )

    def _call(self, node: Any) -> Call:
        arguments = node.arguments
        args, kwargs = self._swap(arguments.args), self._swap(arguments.kwargs)
        outputs = tuple(self._ref(tensor) for tensor in node.outputs)
        op = node.operation
        nested = isinstance(op, keras.Sequential) or hasattr(op, "_nodes_by_depth")
        return Call(
            op, tuple(args), dict(kwargs), outputs, _read(op, self._known) if nested else None
        )

    def _swap(self, arguments: Any) -> Any:
        return keras.tree.map_structure(
            lambda leaf: self._ref(leaf) if isinstance(leaf, keras.KerasTensor) else leaf, arguments
        )

    def _ref(self, tensor: keras.KerasTensor) -> Ref:
        if id(tensor) not in self._refs:
            ref = self._refs[id(tensor)] = Ref(len(self._refs))
            self._specs[ref] = Spec(tuple(tensor.shape), str(tensor.dtype))
        return self._refs[id(tensor)]
