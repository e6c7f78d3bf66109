"""The registry of rules: which function describes which kind of layer."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tfelastic.errors import GraphError
from tfelastic.graph.layer_call import LayerCall

# The label arrays of a call's outputs: one array, or a list of arrays where there are several outputs.
Labels: TypeAlias = np.ndarray | list[np.ndarray]
Rule: TypeAlias = Callable[[LayerCall], Labels]

_RULES: dict[type | str, Rule] = {}


def rule(*kinds: type | str) -> Callable[[Rule], Rule]:
    """Return a decorator that makes a function the rule of some kinds of layer or operation.

    Args:
        kinds: Layer classes; or, for classes without a public name such as the operations behind `keras.ops`,
            strings of the class's own module and name: `"numpy.Add"` is the class `Add` of a module `*.numpy`.

    Raises:
        GraphError: One of the kinds is neither a class nor such a string.

    Example:
        >>> import keras, tfelastic as te
        >>> @keras.saving.register_keras_serializable("example")
        ... class Negative(keras.layers.Layer):
        ...     def call(self, inputs):
        ...         return -inputs
        >>> @te.rule(Negative)
        ... def negative(call):
        ...     return call.inputs[0].labels
    """
    for kind in kinds:
        if not isinstance(kind, type) and not (isinstance(kind, str) and kind.count(".") == 1):
            raise GraphError(
                f"a rule is for a layer class or a 'module.Class' string, not for {kind!r}"
            )

    def file(function: Rule) -> Rule:
        for kind in kinds:
            _RULES[kind] = function
        return function

    return file


def operations(module: str, names: str) -> list[str]:
    """Return the kinds of the operations `names`, set apart by spaces, of the Keras module `module`."""
    return [f"{module}.{name}" for name in names.split()]


def find_rule(op: Any) -> Rule | None:
    """Return the rule of a layer or operation; a subclass has its parent's unless it overrides `call`."""
    for kind in type(op).__mro__:
        known = _RULES.get(kind) or _RULES.get(
            f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"
        )
        if known:
            return known if type(op).call is getattr(kind, "call", None) else None
    return None
