"""Reads a Keras model's call graph: the one place that touches Keras' private graph attributes.

A functional model records each call of a layer or operation in a node. `read` turns those records into a
`Structure`: plain data that names no Keras internals, in execution order, with nested models, and layers made of
layers, as structures of their own. Everything else in tfelastic works on structures.
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeAlias

import keras
from keras.src.models.functional import Functional

from tfelastic.errors import GraphError
from tfelastic.graph.composite import (
    alike,
    may_open,
    says_all,
    stable_names,
    without_training,
)
from tfelastic.graph.structure import Node, Ref, Spec, Structure


def read(model: keras.Model) -> Structure:
    """Return the call graph of a functional or sequential model.

    Args:
        model: A built `keras.Sequential` or a model made from `keras.Input`s; nested models are read too, and layers
            made of layers where their call graph says all that they compute.

    Raises:
        GraphError: `model` is subclassed, not built, or no Keras model at all.
    """
    calls: dict[int, _Shapes | None] = {}
    while True:
        try:
            return _Reader(calls).read(model)
        except _CalledDifferently as found:
            calls[found.layer] = found.shapes


# The shapes of the tensors that enter a layer, over all of its calls: `None` where they differ.
_Shapes: TypeAlias = tuple[tuple[int | None, ...], ...]


class _CalledDifferently(Exception):  # noqa: N818 - a signal, not an error: the model is read once more.
    """A layer made of layers is called in another way at one place than at another.

    Args:
        layer: The layer's `id`.
        shapes: What its calls have in common; `None` where it calls other layers, so that it stays closed.
    """

    def __init__(self, layer: int, shapes: "_Shapes | None") -> None:
        super().__init__()
        self.layer, self.shapes = layer, shapes


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
    elif isinstance(model, Functional):
        functional = model
    else:
        raise GraphError(
            f"the model {model.name!r} ({type(model).__name__}) is subclassed: its call() is Python code that "
            "cannot be traced; rebuild it with the functional API, keras.Model(inputs, outputs), for example "
            "from inputs = keras.Input(shape) and outputs = model.call(inputs)"
        )
    if redefined := _redefined(model):
        raise GraphError(
            f"the model {model.name!r} ({type(model).__name__}) redefines {', '.join(redefined)}, so it does not "
            "compute what its layers' graph says; put that into the graph, for example with inputs = "
            "keras.Input(shape) and keras.Model(inputs, model.call(inputs)), or trace "
            "keras.Model(model.inputs, model.outputs), the graph without it"
        )
    return functional


def read_inside(
    layer: keras.Layer, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Structure | None:
    """Return the call graph of what a layer made of other layers computes at inference.

    Args:
        layer: The layer; it is left as it was.
        args: The positional arguments of its call, with a `keras.Input` in the place of each tensor.
        kwargs: The keyword arguments, likewise.

    Returns:
        The graph; `None` where the layer holds no layers, or its `call` does more than call layers and operations.
    """
    model = _model_of(layer, args, kwargs, training=False)
    return None if model is None else read(model)


def _model_of(
    layer: keras.Layer, args: tuple[Any, ...], kwargs: dict[str, Any], *, training: bool
) -> keras.Model | None:
    """Return a functional model that calls what `layer` calls; takes and returns what `read_inside` does."""
    parts = list(layer._flatten_layers(include_self=False))
    if not parts or not all(part.built for part in parts):
        return None
    if "training" in inspect.signature(layer.call).parameters:
        kwargs = {**kwargs, "training": training}
    leaves = keras.tree.flatten((args, kwargs))
    inputs = [leaf for leaf in leaves if isinstance(leaf, keras.KerasTensor)]
    context = layer._get_call_context()
    context.set_value("training", training)
    try:
        with _calls_forgotten(parts):
            return keras.Model(inputs, layer.call(*args, **kwargs))
    except Exception:  # noqa: BLE001 - what a user's call raises on symbolic tensors is up to it.
        return None
    finally:
        layer._maybe_reset_call_context()


def read_call(layer: keras.Layer, tensor: keras.KerasTensor) -> Structure:
    """Return the call graph of one call of a layer on a `keras.Input`; the layer is left as it was."""
    with _calls_forgotten(list(layer._flatten_layers())):
        return read(keras.Model(tensor, layer(tensor)))


@contextmanager
def _calls_forgotten(layers: Sequence[keras.Layer]) -> Iterator[None]:
    """Take back the nodes that calls within leave in `layers`; the user's model has no such calls."""
    before = [len(layer._inbound_nodes) for layer in layers]
    try:
        yield
    finally:
        for layer, count in zip(layers, before, strict=True):
            del layer._inbound_nodes[count:]


# Through these a functional model goes from its inputs to its outputs.
_FORWARD = (
    "__call__",
    "call",
    "_run_through_graph",
    "_standardize_inputs",
    "_convert_inputs_to_tensors",
    "_adjust_input_rank",
)


def _redefined(model: keras.Model) -> list[str]:
    """Return which of the methods that run a functional model's graph its class, or it itself, defines anew."""
    base = keras.Sequential if isinstance(model, keras.Sequential) else Functional
    return [
        name
        for name in _FORWARD
        if getattr(type(model), name, None) is not getattr(base, name, None) or name in vars(model)
    ]


def functional_class(model: keras.Model) -> type[keras.Model]:
    """Return the class with which a functional model like `model` is made: its own, if that is made alike."""
    own = type(model)
    alike = inspect.signature(own.__init__) == inspect.signature(Functional.__init__)
    return own if alike else keras.Model


class _Reader:
    """Reads a model and what is nested in it, each once.

    Args:
        calls: What is known of how layers made of layers are called, by `id`: `None` for one that is not looked
            into. Without it none is.
    """

    def __init__(self, calls: "dict[int, _Shapes | None] | None" = None) -> None:
        self._calls = calls
        self._known: dict[int, Structure] = {}
        self._opened: dict[int, Structure] = {}
        self._paths: dict[int, str] = {}

    def read(
        self, model: keras.Model, within: tuple[str, ...] = (), *, in_layer: bool = False
    ) -> Structure:
        """Return the structure of `model`, once read.

        Args:
            model: A functional or sequential model.
            within: The names of the models and layers that it is nested in.
            in_layer: Whether one of them is a layer made of layers.
        """
        if id(model) not in self._known:
            self._known[id(model)] = self._structure(model, within, in_layer)
        return self._known[id(model)]

    def _structure(self, model: keras.Model, within: tuple[str, ...], in_layer: bool) -> Structure:
        functional = _functional(model)
        tensors = _Tensors()
        inputs = tuple(tensors.ref(tensor) for tensor in functional.inputs)
        records = [
            record
            for depth in sorted(functional._nodes_by_depth, reverse=True)
            for record in functional._nodes_by_depth[depth]
            # A node that makes nothing but the model's inputs lies before the model.
            if not record.is_input and not all(map(tensors.knows, record.outputs))
        ]
        self._name([record.operation for record in records], within, in_layer)
        return Structure(
            model=model,
            inputs=inputs,
            input_names=tuple(t._keras_history.operation.name for t in functional.inputs),
            input_structure=tensors.refs(functional._inputs_struct),
            nodes=tuple(self._node(record, tensors, in_layer) for record in records),
            outputs=tensors.refs(functional._outputs_struct),
        )

    def _name(self, ops: Sequence[Any], within: tuple[str, ...], in_layer: bool) -> None:
        for key, name in stable_names(ops, in_layer=in_layer).items():
            self._paths.setdefault(key, "/".join((*within, name)))

    def _node(self, record: Any, tensors: "_Tensors", in_layer: bool) -> Node:
        path = self._paths[id(record.operation)]
        node = Node(
            path=path,
            op=record.operation,
            args=tuple(tensors.refs(record.arguments.args)),
            kwargs=dict(tensors.refs(record.arguments.kwargs)),
            outputs=tuple(tensors.ref(tensor) for tensor in record.outputs),
            body=None,
        )
        if in_layer:
            args, kwargs = without_training(node)
            node = replace(node, args=args, kwargs=kwargs)
        return replace(node, body=self._body(node, tuple(path.split("/")), in_layer))

    def _body(self, node: Node, path: tuple[str, ...], in_layer: bool) -> Structure | None:
        # A model that runs its graph in a way of its own is read as a layer is.
        if isinstance(node.op, keras.Sequential | Functional) and not _redefined(node.op):
            return self.read(node.op, path, in_layer=in_layer)
        if self._calls is None or not may_open(node):
            return None
        key, shapes = id(node.op), tuple(ref.spec.shape for ref in node.inputs)
        common = self._calls.setdefault(key, shapes)
        if common is None:
            return None
        if (merged := _merged(common, shapes)) != common:
            raise _CalledDifferently(key, merged)
        inference = _complete_graph(node, shapes)
        first = self._opened.get(key) or (
            inference if shapes == common else _complete_graph(node, common)
        )
        if first and inference and alike(first, inference):
            self._opened[key] = first
            return self.read(first.model, path, in_layer=True)
        if key in self._opened:
            raise _CalledDifferently(key, None)
        self._calls[key] = None
        return None


def _merged(one: _Shapes, other: _Shapes) -> _Shapes | None:
    """Return what the shapes of two calls have in common; `None` where they have not equally many axes."""
    if list(map(len, one)) != list(map(len, other)):
        return None
    return tuple(
        tuple(a if a == b else None for a, b in zip(*pair, strict=True))
        for pair in zip(one, other, strict=True)
    )


def _complete_graph(node: Node, shapes: _Shapes) -> Structure | None:
    """Return what a layer made of layers calls, if that is all that it computes, whatever mode it is in.

    Args:
        node: A call of the layer.
        shapes: The shapes of the tensors that enter it.
    """
    entering = iter(shapes)
    args, kwargs = keras.tree.map_structure(
        lambda leaf: (
            keras.Input(batch_shape=next(entering), dtype=leaf.spec.dtype)
            if isinstance(leaf, Ref)
            else leaf
        ),
        without_training(node),
    )
    models = [_model_of(node.op, args, kwargs, training=mode) for mode in (False, True)]
    if any(model is None for model in models):
        return None
    inference, training = (_Reader().read(model) for model in models)
    return inference if says_all(inference, training, node.op) else None


class _Tensors:
    """Numbers the tensors of one structure."""

    def __init__(self) -> None:
        self._refs: dict[int, Ref] = {}

    def knows(self, tensor: keras.KerasTensor) -> bool:
        """Whether the tensor has a number."""
        return id(tensor) in self._refs

    def ref(self, tensor: keras.KerasTensor) -> Ref:
        """Return the reference of a tensor, with a new number where it has none."""
        if not self.knows(tensor):
            spec = Spec(tuple(tensor.shape), str(tensor.dtype))
            self._refs[id(tensor)] = Ref(len(self._refs), spec)
        return self._refs[id(tensor)]

    def refs(self, arguments: Any) -> Any:
        """Return `arguments` with references in the place of tensors."""
        return keras.tree.map_structure(
            lambda leaf: self.ref(leaf) if isinstance(leaf, keras.KerasTensor) else leaf, arguments
        )
