"""Reads a Keras model's call graph: the one place that touches Keras' private graph attributes.

A functional model records each call of a layer or operation in a node. `read` turns those records into a
`Structure`: plain data that names no Keras internals, in execution order, with nested models as structures of
their own. Everything else in tfelastic works on structures.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
from keras.src.models.functional import Functional

from tfelastic.errors import GraphError


@dataclass(frozen=True)
class Spec:
    """What is known of a tensor before any data: `shape` with the batch first (`None`: unknown), and `dtype`."""

    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class Ref:
    """A tensor of a structure, by its number."""

    index: int
    spec: Spec


@dataclass(frozen=True, eq=False)
class Node:
    """One call of a layer or operation.

    Attributes:
        path: The layer's name, led by the names of the models in which it is first called.
        op: The layer or operation that is called.
        args: Its positional arguments, with a `Ref` in the place of every tensor.
        kwargs: Its keyword arguments, likewise.
        outputs: The tensors that it returns, flattened.
        body: The inside of `op` where that is itself a functional model.
    """

    path: str
    op: keras.Operation
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Ref, ...]
    body: "Structure | None"

    @property
    def inputs(self) -> tuple[Ref, ...]:
        """The tensors among its arguments, flattened."""
        leaves = keras.tree.flatten((self.args, self.kwargs))
        return tuple(leaf for leaf in leaves if isinstance(leaf, Ref))


# Carries out one call: gets the node and its arguments with values in the place of tensors, returns the outputs.
Apply: TypeAlias = Callable[[Node, tuple[Any, ...], dict[str, Any]], Any]


@dataclass(frozen=True, eq=False)
class Structure:
    """The call graph of one functional model.

    Attributes:
        model: The model that was read.
        inputs: The model's inputs, flattened.
        input_names: The names of their input layers.
        input_structure: The nesting (list, dict) in which the model takes its inputs.
        outputs: The model's outputs in the nesting in which it returns them.
        nodes: Every call, in execution order.
    """

    model: keras.Model
    inputs: tuple[Ref, ...]
    input_names: tuple[str, ...]
    input_structure: Any
    outputs: Any
    nodes: tuple[Node, ...]

    def run(self, inputs: Sequence[Any], apply: Apply, *, enter_nested: bool = True) -> Any:
        """Interpret the graph: feed `inputs`, let `apply` carry out each call, return the outputs.

        A value is whatever `apply` takes and returns: arrays, symbolic tensors, channel labels.

        Args:
            inputs: One value per model input, flattened.
            apply: Carries out one call.
            enter_nested: Whether a call of a nested model is interpreted call by call; if not, `apply` gets the call.

        Returns:
            The values of the model's outputs, nested as the model nests them.
        """
        values: dict[Ref, Any] = dict(zip(self.inputs, inputs, strict=True))

        def fill(arguments: Any) -> Any:
            return keras.tree.map_structure(
                lambda leaf: values[leaf] if isinstance(leaf, Ref) else leaf, arguments
            )

        for node in self.nodes:
            if enter_nested and node.body is not None:
                results = node.body.run([values[ref] for ref in node.inputs], apply)
            else:
                results = apply(node, fill(node.args), fill(node.kwargs))
            values.update(zip(node.outputs, keras.tree.flatten(results), strict=True))
        return fill(self.outputs)


def read(model: keras.Model) -> Structure:
    """Return the call graph of a functional or sequential model.

    Args:
        model: A built `keras.Sequential` or a model made from `keras.Input`s; nested models are read too.

    Raises:
        GraphError: `model` is subclassed, not built, or no Keras model at all.
    """
    return _Reader().read(model, ())


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
    parts = list(layer._flatten_layers(include_self=False))
    if not parts or not all(part.built for part in parts):
        return None
    if "training" in inspect.signature(layer.call).parameters:
        kwargs = {**kwargs, "training": False}
    leaves = keras.tree.flatten((args, kwargs))
    inputs = [leaf for leaf in leaves if isinstance(leaf, keras.KerasTensor)]
    before = [len(part._inbound_nodes) for part in parts]
    try:
        return read(keras.Model(inputs, layer.call(*args, **kwargs)))
    except Exception:  # noqa: BLE001 - what a user's call raises on symbolic tensors is up to it.
        return None
    finally:
        # Each call left a node in the layer that was called; the user's model has no such call.
        for part, count in zip(parts, before, strict=True):
            del part._inbound_nodes[count:]


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
    """Reads a model and the models nested in it, each once."""

    def __init__(self) -> None:
        self._known: dict[int, Structure] = {}
        self._paths: dict[int, str] = {}

    def read(self, model: keras.Model, within: tuple[str, ...]) -> Structure:
        """Return the structure of `model`; `within` names the models that it is nested in."""
        if id(model) not in self._known:
            self._known[id(model)] = self._structure(model, within)
        return self._known[id(model)]

    def _structure(self, model: keras.Model, within: tuple[str, ...]) -> Structure:
        functional = _functional(model)
        tensors = _Tensors()
        inputs = tuple(tensors.ref(tensor) for tensor in functional.inputs)
        nodes = tuple(
            self._node(record, tensors, within)
            for depth in sorted(functional._nodes_by_depth, reverse=True)
            for record in functional._nodes_by_depth[depth]
            # A node that makes nothing but the model's inputs lies before the model.
            if not record.is_input and not all(map(tensors.knows, record.outputs))
        )
        return Structure(
            model=model,
            inputs=inputs,
            input_names=tuple(t._keras_history.operation.name for t in functional.inputs),
            input_structure=tensors.refs(functional._inputs_struct),
            outputs=tensors.refs(functional._outputs_struct),
            nodes=nodes,
        )

    def _node(self, record: Any, tensors: "_Tensors", within: tuple[str, ...]) -> Node:
        op = record.operation
        # A model that runs its graph in a way of its own is one layer without a rule.
        nested = isinstance(op, keras.Sequential | Functional) and not _redefined(op)
        return Node(
            path=self._paths.setdefault(id(op), "/".join((*within, op.name))),
            op=op,
            args=tuple(tensors.refs(record.arguments.args)),
            kwargs=dict(tensors.refs(record.arguments.kwargs)),
            outputs=tuple(tensors.ref(tensor) for tensor in record.outputs),
            body=self.read(op, (*within, op.name)) if nested else None,
        )


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
