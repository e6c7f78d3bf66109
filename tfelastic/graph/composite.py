"""Layers made of layers: when the call graph of what they call says all that they compute.

Such a layer is *opened*: its call graph takes its place, so that channels are followed through it. That is right
only where the graph is the same in training and at inference, whatever the layer is called with, and reaches every
variable of the layer. Any other layer stays one operation without a rule.
"""

import inspect
import re
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import keras
from keras.src.utils.naming import to_snake_case

from tfelastic.graph.layer_call import NoRule
from tfelastic.graph.rule_registry import find_rule
from tfelastic.graph.structure import Node, Ref, Structure


def may_open(node: Node) -> bool:
    """Return whether a call might be described by what its layer calls."""
    layer = node.op
    if (
        not isinstance(layer, keras.Layer)
        or type(layer).__module__.startswith("keras.")
        or type(layer).__call__ is not keras.Layer.__call__
        or getattr(layer, "activity_regularizer", None) is not None
        or _training_of(node) is True
    ):
        return False
    try:
        find_rule(layer)
    except NoRule:
        # A layer casts what enters it; the graph of what it calls does not.
        return not layer.autocast or all(
            "float" not in ref.spec.dtype or ref.spec.dtype == layer.compute_dtype
            for ref in node.inputs
        )
    return False


def says_all(inference: Structure, training: Structure, layer: keras.Layer) -> bool:
    """Return whether a call graph is all that `layer` computes.

    Args:
        inference: What the layer calls at inference.
        training: What it calls in training.
        layer: The layer.
    """
    return (
        all(given in (True, None) for given in map(_training_of, training.nodes))
        and alike(inference, training)
        and set(map(id, layer.variables)) == set(map(id, _variables(inference)))
    )


def alike(one: Structure, other: Structure) -> bool:
    """Return whether two call graphs are the same but for shapes and the argument `training`."""
    return list(map(_description, one.nodes)) == list(map(_description, other.nodes)) and (
        _numbered(one.outputs) == _numbered(other.outputs)
    )


def without_training(node: Node) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call but `training`, with which the model that holds it is called."""
    kwargs = {name: value for name, value in node.kwargs.items() if name != "training"}
    position = _position_of_training(node)
    return node.args[:position], kwargs


def stable_names(ops: Iterable[keras.Operation], *, in_layer: bool) -> dict[int, str]:
    """Return names for what a model or a layer calls, by `id`, that a loaded model has as well.

    A name that Keras numbered through and does not save is numbered anew, in the order of the calls.

    Args:
        ops: What is called, in execution order.
        in_layer: Whether a layer made it, and makes it anew on loading, so that no name that Keras gave is saved.
    """
    kinds = {id(op): (op, to_snake_case(type(op).__name__)) for op in ops}
    names = {
        key: op.name
        for key, (op, kind) in kinds.items()
        if not re.fullmatch(rf"{re.escape(kind)}(_\d+)?", op.name)
        or not (in_layer or _forgets_its_name(op))
    }
    for key, (_, kind) in kinds.items():
        if key not in names:
            candidates = (f"{kind}_{number}" if number else kind for number in count())
            used = set(names.values())
            names[key] = next(name for name in candidates if name not in used)
    return names


def _forgets_its_name(op: keras.Operation) -> bool:
    """Return whether a layer's config lacks its name, as that of one with a constructor but no `get_config` does."""
    if type(op).__module__.startswith("keras."):
        return False
    try:
        return "name" not in op.get_config()
    except Exception:  # noqa: BLE001 - what cannot be written down cannot be loaded either.
        return False


def _training_of(node: Node) -> Any:
    """Return what a call was given for `training`; `None` where it takes no such argument."""
    if "training" in node.kwargs:
        return node.kwargs["training"]
    position = _position_of_training(node)
    given = node.args[position : position + 1]
    return given[0] if given else None


def _position_of_training(node: Node) -> int:
    """Return the position of `training` among a call's arguments, or the number of arguments."""
    if isinstance(node.op, keras.Layer):
        names = list(inspect.signature(node.op.call).parameters)
        if "training" in names:
            return names.index("training")
    return len(node.args)


def _description(node: Node) -> tuple[str, ...]:
    args, kwargs = without_training(node)
    return (_identity(node.op), _numbered((args, kwargs)), _numbered(node.outputs))


def _identity(op: keras.Operation) -> str:
    """Return what tells an operation from others; those without weights are made anew in every call."""
    if getattr(op, "variables", ()):
        return str(id(op))
    ignored = ("name", "_inbound_nodes", "_outbound_nodes", "_dtype_policy")
    try:
        config = keras.saving.serialize_keras_object(op)["config"]
    except Exception:  # noqa: BLE001 - what cannot be written down is compared as it is.
        config = vars(op)
    kept = {key: value for key, value in config.items() if key not in ignored}
    return f"{type(op).__module__}.{type(op).__qualname__} {kept!r}"


def _numbered(arguments: Any) -> str:
    """Return a text of arguments in which a tensor is its number."""
    return repr(
        keras.tree.map_structure(
            lambda leaf: f"tensor {leaf.index}" if isinstance(leaf, Ref) else repr(leaf), arguments
        )
    )


def _variables(structure: Structure) -> Iterator[keras.Variable]:
    for node in structure.nodes:
        yield from getattr(node.op, "variables", ())
