"""`build_idle`: a pruned model's structure with no memory of its own for weights.

Views and levels run such a structure through `stateless_call` on values that live elsewhere, so its own variables
need shapes and names only. Keras leaves variables without values when a `StatelessScope` says so, but notes them
down and fills them in when the next scope ends. This is the one place that touches that note, Keras' private
`uninitialized_variables`: it takes the idle variables off it again.
"""

from typing import Any

import keras
from keras.src.backend.common import global_state

from tfelastic.plan import Selection
from tfelastic.surgery import Slice, build

_WAITING = "uninitialized_variables"


def build_idle(selection: Selection) -> tuple[keras.Model, list[Slice]]:
    """Return the pruned model's structure with variables that hold no values, and where their values come from.

    The model cannot be called; run it with `stateless_call`.
    """
    waiting: list[Any] = list(global_state.get_global_attribute(_WAITING) or ())
    try:
        with keras.StatelessScope(initialize_variables=False):
            return build(selection)
    finally:
        global_state.set_global_attribute(_WAITING, waiting)
