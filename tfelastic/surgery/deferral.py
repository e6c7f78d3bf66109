"""Variables that are made without values: a value that is about to be replaced costs time and memory for nothing.

Keras leaves variables without values when a `StatelessScope` says so, but keeps a list of them and fills them in when
the next scope ends. This is the one place that touches that list, Keras' private `uninitialized_variables`, and the
private methods that give such a variable its first value.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras.src.backend.common import global_state

_UNINITIALIZED = "uninitialized_variables"


class Deferral:
    """Keeps account of the variables that were made without values."""

    def __init__(self) -> None:
        self._pending: dict[int, keras.Variable] = {}

    @contextmanager
    def without_values(self) -> Iterator[None]:
        """Let the variables that Keras' layers make within have shapes, but no values."""
        before: list[Any] = list(global_state.get_global_attribute(_UNINITIALIZED) or ())
        made: list[keras.Variable] = []
        global_state.set_global_attribute(_UNINITIALIZED, made)
        try:
            with keras.StatelessScope(initialize_variables=False):
                yield
        finally:
            global_state.set_global_attribute(_UNINITIALIZED, before)
            self._pending |= {id(variable): variable for variable in made}

    def assign(self, variable: keras.Variable, value: Any) -> None:
        """Give a variable a value, whether or not it has one."""
        if self._pending.pop(id(variable), None) is None:
            variable.assign(value)
        else:
            variable._initialize(keras.ops.convert_to_tensor(value, dtype=variable.dtype))
            variable._initializer = None

    def initialize_others(self) -> None:
        """Give the variables that are still without values those of their initializers."""
        for variable in self._pending.values():
            variable._deferred_initialize()
        self._pending.clear()


def makes_no_values(layer: keras.Operation) -> bool:
    """Whether a layer, with all layers in it, makes its variables through Keras' own code, which can do without values.

    A user's layer may compute with the values of its variables as soon as it has made them; a stateful recurrent
    layer makes its state apart from them.
    """
    return isinstance(layer, keras.Layer) and all(
        type(part).__module__.startswith("keras.") and not getattr(part, "stateful", False)
        for part in layer._flatten_layers()
    )
