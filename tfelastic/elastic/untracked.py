"""`Untracked`: holds what Keras must not take for a layer or a weight of the model that refers to it."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Untracked(Generic[T]):
    """Holds a value where Keras does not look for layers and variables.

    Args:
        value: What to hold: a model that is another's, its graph, or a structure without values.
    """

    def __init__(self, value: T) -> None:
        self.value = value
