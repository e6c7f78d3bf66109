"""The registry of rules: which function describes which kind of layer."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from tfelastic.errors import GraphError
from tfelastic.graph.layer_call import LayerCall, NoRule

# The label arrays of a call's outputs: one array, or a list of arrays where there are several outputs.
Labels: TypeAlias = np.ndarray | list[np.ndarray]
Rule: TypeAlias = Callable[[LayerCall], Labels]

_RULES: dict[type | str, Rule] = {}


def rule(*kinds: type | str) -> Callable[[Rule], Rule]:
    """Return a decorator that makes a function the rule of some kinds of layer or operation.

    Args:
        kinds: Layer classes; or, for classes without a public name such as the operations behind `keras.ops`,
            strings of the class's own module and name: `"numpy.Add"` is the class `Add` of a module `*.numpy`, and
            `"keras.numpy.Add"` of such a module within Keras.

    Raises:
        GraphError: One of the kinds is neither a class nor such a string.

    Examples:
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
        if not isinstance(kind, type) and not (
            isinstance(kind, str) and kind.removeprefix("keras.").count(".") == 1
        ):
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
    return [f"keras.{module}.{name}" for name in names.split()]


def find_rule(op: Any) -> Rule:
    """Return the rule of a layer or operation: that of its class, or of the nearest parent that has one.

    Raises:
        NoRule: There is none, or the class redefines something that the parent computes with.
    """
    for kind in type(op).__mro__:
        known = next((_RULES[name] for name in _names(kind) if name in _RULES), None)
        if known:
            redefined = _redefined(op, kind)
            if redefined:
                raise NoRule(
                    f"{type(op).__name__} has no rule: it redefines {', '.join(redefined)} of {kind.__name__}"
                )
            return known
    raise NoRule(f"{type(op).__name__} has no rule")


def _names(kind: type) -> Iterator[type | str]:
    yield kind
    name = f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"
    yield name
    # A user's module may be called like one of Keras' own, so the built-in rules ask for Keras itself.
    if kind.__module__.startswith("keras."):
        yield f"keras.{name}"


# What a subclass may define and still compute what its parent does: how it is constructed, saved and shown.
_HARMLESS = frozenset(
    (
        "__annotations__",
        "__dict__",
        "__doc__",
        "__firstlineno__",
        "__init__",
        "__module__",
        "__qualname__",
        "__repr__",
        "__static_attributes__",
        "__str__",
        "__weakref__",
        "from_config",
        "get_build_config",
        "get_config",
    )
)


def _redefined(op: Any, kind: type) -> list[str]:
    """Return which of the parent `kind`'s attributes the class of `op`, or `op` itself, defines anew.

    A rule describes what the parent's methods compute together, hooks such as `convolution_op` and properties such
    as `kernel` included; so any of them counts.
    """
    parents, names = kind.__mro__, _attributes(kind)
    found = [
        name
        for derived in type(op).__mro__
        if derived not in parents
        for name, value in vars(derived).items()
        # A property with a setter takes the place of an attribute that the parent sets on the instance.
        if name in names or (isinstance(value, property) and value.fset)
    ]
    # Keras itself sets wrappers of `build` and `quantize` on every layer.
    found += [
        name
        for name, value in vars(op).items()
        if name in names and name not in ("build", "quantize") and callable(value)
    ]
    return list(dict.fromkeys(found))


@cache
def _attributes(kind: type) -> frozenset[str]:
    """Return the names of what a class computes with."""
    return frozenset(dir(kind)) - _HARMLESS
