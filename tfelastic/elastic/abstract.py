"""`build_abstract`: a pruned model's structure whose variables have shapes, but no values and no memory.

A rung runs such a structure through `stateless_call` on values that live elsewhere. Keras leaves variables without
values when a `StatelessScope` says so, but keeps a list of them and fills them in when the next scope ends. This is
the one place that touches that list, Keras' private `uninitialized_variables`: it restores the list as it was.
"""

from typing import Any

import keras
from keras.src.backend.common import global_state

from tfelastic.plan import Selection
from tfelastic.surgery import Slice, build

_UNINITIALIZED = "uninitialized_variables"


def build_abstract(selection: Selection) -> tuple[keras.Model, list[Slice]]:
    """Return the pruned model's structure without values, and where the values of its variables come from.

    The model cannot be called; run it with `stateless_call`.
    """
    before: list[Any] = list(global_state.get_global_attribute(_UNINITIALIZED) or ())
    try:
        with keras.StatelessScope(initialize_variables=False):
            return build(selection)
    finally:
        global_state.set_global_attribute(_UNINITIALIZED, before)
