"""`prune`: carries a plan out, with no decisions left to make. The original model is only read."""

import copy
import functools
import inspect
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
import numpy as np

from tfelastic._plan import KeepPlan, Selection
from tfelastic.errors import GraphError
from tfelastic.graph import (
    LayerFacts,
    LayerGraph,
    Node,
    Role,
    Structure,
    functional_class,
    trace,
)
from tfelastic.surgery.compile_state import copy_compile_state
from tfelastic.surgery.deferral import Deferral, makes_no_values

Shape: TypeAlias = tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Slice:
    """Where a variable of a built model comes from.

    Attributes:
        variable: The variable of the built model.
        source: The variable of the original.
        takes: For each pruned or re-ordered axis of `source` the positions it keeps.
        role: What the variable does to its channels (see `tfelastic.graph.Role`); `None` where no rule knows.
    """

    variable: keras.Variable
    source: keras.Variable
    takes: dict[int, np.ndarray]
    role: Role | None

    def value(self) -> np.ndarray:
        """Return what the variable should hold, in its own shape."""
        value = keras.ops.convert_to_numpy(self.source)
        # The first axes first: there whole rows are copied, and what is left for the others is less.
        for axis, positions in sorted(self.takes.items()):
            value = value.take(positions, axis=axis)
        return value


def prune(model: keras.Model | LayerGraph, plan: KeepPlan) -> keras.Model:
    """Return a new, smaller model that keeps what `plan` says, with the weights carried over.

    Layer names, data types, regularizers and, if the model was compiled, optimizer, loss and metrics are kept;
    the optimizer starts afresh.

    Args:
        model: The model that the plan was made for, or its graph, which saves tracing it again.
        plan: What to keep; see `tfelastic.plan`.

    Returns:
        A model of the same kind (sequential or functional); of the same class where that is constructed as
        `keras.Model` is, so that a `train_step` of one's own stays.

    Raises:
        GraphError: The model cannot be traced.
        PlanError: The plan was made for another model.

    Examples:
        >>> import keras, tfelastic as te
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="hidden"), keras.layers.Dense(2)])
        >>> plan = te.KeepPlan(te.trace(model).fingerprint, {"hidden": (3, 0)})
        >>> te.prune(model, plan).count_params()
        24
    """
    graph = model if isinstance(model, LayerGraph) else trace(model)
    model, selection = graph.model, Selection(graph, plan)
    pruned, _ = build(selection)
    copy_compile_state(model, pruned)
    return pruned


def build(selection: Selection) -> tuple[keras.Model, list[Slice]]:
    """Return the pruned model with the weights carried over, and where each of its variables comes from."""
    deferral = Deferral()
    builder = _Builder(selection, deferral)
    model = builder.model_of_graph()
    builder.carry_state()
    slices = builder.slices(model)
    for piece in slices:
        deferral.assign(piece.variable, piece.value())
    deferral.initialize_others()
    return model, slices


def build_abstract(selection: Selection) -> tuple[keras.Model, list[Slice]]:
    """Return the pruned model's structure without values, and where the values of its variables come from.

    Its variables have shapes, but no values and no memory. The model cannot be called; run it with `stateless_call`.
    A layer whose state is more than its weights and its config, such as an adapted Normalization, is the original's
    own, so that both models compute with what it becomes.
    """
    deferral = Deferral()
    builder = _Builder(selection, deferral, share_hidden_state=True)
    with deferral.without_values():
        model = builder.model_of_graph()
        return model, builder.slices(model)


class _Builder:
    """Clones a model layer by layer, each in its new size."""

    def __init__(
        self, selection: Selection, deferral: Deferral, *, share_hidden_state: bool = False
    ) -> None:
        self._selection = selection
        self._deferral = deferral
        self._share_hidden_state = share_hidden_state
        self._graph: LayerGraph = selection.graph
        self._clones: dict[int, Any] = {}
        self._originals: dict[int, Any] = {}
        self._shortcut = {
            block.name: block.shortcut
            for block in self._graph.blocks
            if block.name in selection.plan.removed
        }

    def model_of_graph(self) -> keras.Model:
        """Return the model of the whole graph in its new size."""
        structure = self._graph.structure
        shapes = [ref.spec.shape for ref in structure.inputs]
        return self.model(structure, shapes, structure.model.name)

    def model(self, structure: Structure, shapes: Sequence[Shape], name: str) -> keras.Model:
        """Return the model of `structure` in its new size; `shapes` are its inputs', batch first."""
        original = structure.model
        inputs = [
            keras.Input(batch_shape=shape, dtype=ref.spec.dtype, name=input_name)
            for shape, ref, input_name in zip(
                shapes, structure.inputs, structure.input_names, strict=True
            )
        ]
        outputs = structure.run(inputs, self._apply, enter_nested=False)
        if isinstance(original, keras.Sequential):
            clones = [self._clones[id(node.op)] for node in structure.nodes]
            return keras.Sequential([*inputs, *clones], name=name)
        nested = dict(zip(structure.inputs, inputs, strict=True))
        inputs = keras.tree.map_structure(nested.get, structure.input_structure)
        model = functional_class(original)(inputs, outputs, name=name)
        if not original.trainable:  # Set to True, it would unfreeze every frozen layer.
            model.trainable = False
        return model

    def carry_state(self) -> None:
        """Carry over what layers hold beside weights and config, by the methods with which Keras saves it."""
        for key, original in self._originals.items():
            clone = self._clones[key]
            if clone is original:
                continue
            if original.variables and hasattr(clone, "finalize_state"):
                # An adapted Normalization computes with constants that it derives from its variables.
                for variable, source in zip(clone.variables, original.variables, strict=True):
                    self._deferral.assign(variable, source)
                clone.finalize_state()
            elif hasattr(original, "save_assets"):
                _carry_assets(original, clone)
            elif _saves_state_of_its_own(original) and _shapes(clone) == _shapes(original):
                store: dict[str, Any] = {}
                original.save_own_variables(store)
                clone.load_own_variables(
                    {name: keras.ops.convert_to_numpy(value) for name, value in store.items()}
                )

    def slices(self, model: keras.Model) -> list[Slice]:
        """Return the origin of every variable of the built model, once each."""
        reached = {id(variable) for variable in model.variables}
        found = []
        for key, original in self._originals.items():
            for variable, source in zip(
                self._clones[key].variables, original.variables, strict=True
            ):
                # Layers may share a variable; it is carried over once.
                if id(variable) in reached:
                    reached.discard(id(variable))
                    found.append(self._slice(variable, source))
        return found

    def _slice(self, variable: keras.Variable, source: keras.Variable) -> Slice:
        bindings = self._graph.bindings_of(source)
        takes = {}
        for axis, binding in bindings.items():
            positions = self._selection.take(binding.labels)
            if not np.array_equal(positions, np.arange(len(binding.labels))):
                takes[axis] = positions
        roles = [binding.role for binding in bindings.values()]
        return Slice(variable, source, takes, roles[0] if roles else None)

    def _apply(self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        leaves = keras.tree.flatten((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, keras.KerasTensor)]
        if node.path in self._shortcut:
            return tensors[self._shortcut[node.path]]
        clone = self._clone(node, tensors)
        if node.body and node.body.model is not node.op:
            # The graph in place of a layer knows the tensors that entered it, one after the other.
            return clone(tensors if len(tensors) > 1 else tensors[0])
        with self._deferral.without_values() if makes_no_values(clone) else nullcontext():
            return clone(*args, **kwargs)

    def _clone(self, node: Node, tensors: Sequence[keras.KerasTensor]) -> Any:
        key = id(node.op)
        if key not in self._clones:
            if node.body:
                shapes = _input_shapes(node.body, tensors)
                self._clones[key] = self.model(node.body, shapes, _name(node))
            else:
                self._clones[key] = self._rebuilt(node, tensors)
                if isinstance(node.op, keras.Layer):
                    self._originals[key] = node.op
        return self._clones[key]

    def _rebuilt(self, node: Node, tensors: Sequence[keras.KerasTensor]) -> Any:
        """Return a layer in its new size; one that cannot be made anew is used again if it has no state."""
        op, facts = node.op, self._graph.facts[id(node.op)]
        if (
            self._share_hidden_state
            and _has_hidden_state(op)
            and not (facts.sizes or facts.bindings)
        ):
            return op
        functions = {
            each.__name__: each
            for part in (op._flatten_layers() if isinstance(op, keras.Layer) else [op])
            for each in vars(part).values()
            if inspect.isfunction(each)
        }
        try:
            with keras.saving.custom_object_scope(functions):
                clone = self._resized(op, facts)
        except (NotImplementedError, TypeError, ValueError) as cause:
            if not facts.sizes and not getattr(op, "variables", ()):
                return op
            raise GraphError(
                f"the layer {facts.path!r} ({type(op).__name__}) cannot be made anew from its config: "
                "give its class a get_config() that holds every argument of its constructor, and "
                "register it with @keras.saving.register_keras_serializable()"
            ) from cause
        clone.name = _name(node)
        for activation in map(vars(clone).get, _own_activations(op)):
            if isinstance(activation, keras.Layer) and not activation.built:
                # Keras infers a layer's output without running it, so nothing else would build this one.
                activation.build(clone.compute_output_shape(tensors[0].shape))
        return clone

    def _resized(self, op: Any, facts: LayerFacts) -> Any:
        config = self._config(op)
        if facts.bindings:
            _forget_shapes(config)
        for size in facts.sizes.values():
            count, fields = self._selection.count(size.labels), config
            for wrapping in size.within:
                fields = fields[wrapping]["config"]
            if size.item is None:
                fields[size.field] = count
            else:
                items = list(fields[size.field])
                items[size.item] = count
                fields[size.field] = tuple(items)
        return type(op).from_config(config)

    def _config(self, op: Any) -> dict[str, Any]:
        """Return a layer's config, with its activations as they are where they are layers or not Keras' own functions.

        Serialized they are names at most, under which Keras may know others: a user's `gelu` would become Keras' own.
        Initializers and data types stand in it as objects too: to write and read them takes as long as all the rest.
        """
        own, initializers = _own_activations(op), _initializers(op)
        if own or initializers:
            # A twin is asked in the layer's place, since Keras warns of a lambda and refuses a partial.
            twin = object.__new__(type(op))
            linear = keras.activations.linear
            vars(twin).update(vars(op) | dict.fromkeys(own, linear) | dict.fromkeys(initializers))
            config = twin.get_config()
            config |= {name: self._copied(own[name]) for name in own if name in config}
            config |= {name: copy.copy(value) for name, value in initializers.items()}
        else:
            config = op.get_config()
        policy = getattr(op, "dtype_policy", None)
        # A user's class may owe its config to the arguments that it was made with, which Keras writes down as they are.
        if _is_of_keras(op) and type(policy) is keras.DTypePolicy and "dtype" in config:
            config["dtype"] = policy
        return config

    def _copied(self, activation: Any) -> Any:
        if not isinstance(activation, keras.Layer):
            return activation
        key = id(activation)
        if key not in self._clones:  # Several layers may apply one activation.
            self._clones[key] = type(activation).from_config(self._config(activation))
        return self._clones[key]


def _forget_shapes(config: dict[str, Any]) -> None:
    """Take the shapes with which Keras would build wrapped layers at once out of a wrapper's config."""
    for value in config.values():
        if isinstance(value, dict):
            value.pop("build_config", None)
            _forget_shapes(value)


def _carry_assets(original: Any, clone: Any) -> None:
    """Carry over what a layer keeps in files of its own: the vocabulary of an adapted lookup."""
    vocabulary = getattr(original, "get_vocabulary", None)
    if vocabulary and not vocabulary(include_special_tokens=False):
        return  # Keras cannot load an empty one.
    with tempfile.TemporaryDirectory() as folder:
        original.save_assets(folder)
        clone.load_assets(folder)


def _name(node: Node) -> str:
    return node.path.rpartition("/")[2]


def _input_shapes(structure: Structure, tensors: Sequence[keras.KerasTensor]) -> list[Shape]:
    """Return the input shapes of a nested model called on `tensors`; what it leaves open stays open."""
    before = [ref.spec.shape for ref in structure.inputs]
    return [
        tuple(None if old is None else new for old, new in zip(shape, tensor.shape, strict=True))
        for shape, tensor in zip(before, tensors, strict=True)
    ]


def _has_hidden_state(op: keras.Operation) -> bool:
    """Whether an operation computes with more than its weights and its config."""
    return isinstance(op, keras.Layer) and (
        hasattr(op, "finalize_state") or hasattr(op, "save_assets") or _saves_state_of_its_own(op)
    )


def _own_activations(op: Any) -> dict[str, Any]:
    """Return a layer's activations, by attribute, that are layers or functions other than Keras' own."""
    return {
        name: value
        for name, value in vars(op).items()
        if "activation" in name
        and callable(value)
        and not str(getattr(value, "__module__", "")).startswith("keras.src.activations")
    }


def _initializers(op: Any) -> dict[str, keras.initializers.Initializer]:
    """Return the initializers that a layer of Keras' own was made with, by the names of its arguments."""
    if not _is_of_keras(op):
        return {}
    return {
        name: vars(op)[name]
        for name in _arguments(type(op).__init__)
        if isinstance(vars(op).get(name), keras.initializers.Initializer)
    }


def _is_of_keras(op: Any) -> bool:
    return type(op).__module__.startswith("keras.src.")


@functools.cache
def _arguments(constructor: Callable[..., None]) -> tuple[str, ...]:
    return tuple(inspect.signature(constructor).parameters)


def _saves_state_of_its_own(layer: keras.Layer) -> bool:
    """Whether a class outside of Keras says how the layer's state is loaded."""
    loader = inspect.unwrap(type(layer).load_own_variables)
    return not loader.__module__.startswith("keras.")


def _shapes(layer: keras.Layer) -> list[Shape]:
    return [tuple(variable.shape) for variable in layer.variables]
