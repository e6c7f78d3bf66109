"""Kernel libraries: how many bytes of scratch each operation asks for, by the library's own formula."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tflite_export.arena.kernels import reference
from tflite_export.errors import ProfileError
from tflite_export.tflite import Graph, GraphOperator


@dataclass(frozen=True)
class Kernels:
    """A library of kernels for TFLM.

    Attributes:
        name: What users write.
        scratch: Returns the bytes of each scratch buffer that an operation asks for, with 32-bit pointers.
        source: Where the formulas are published.
    """

    name: str
    scratch: Callable[[Graph, GraphOperator], Sequence[int]]
    source: str


KERNELS = {
    each.name: each
    for each in (
        Kernels("reference", reference.scratch, "tflite-micro, tensorflow/lite/micro/kernels"),
    )
}


def get_kernels(name: str) -> Kernels:
    """Return the kernel library called `name`.

    Raises:
        ProfileError: No library has that name; the text lists those there are.
    """
    if name not in KERNELS:
        raise ProfileError(f"unknown kernels {name!r}; known: {', '.join(KERNELS)}")
    return KERNELS[name]
