"""Kernel libraries: how many bytes of scratch each operation asks for, by the library's own formula."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tflite_export.arena.kernels import cmsis_nn, esp_nn, reference
from tflite_export.errors import SchemeError
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
        Kernels("cmsis-nn", cmsis_nn.dsp, "CMSIS-NN 99f736a, with the DSP extension"),
        Kernels("cmsis-nn-mve", cmsis_nn.mve, "CMSIS-NN 99f736a, with Helium"),
        Kernels("esp-nn", esp_nn.scratch, "ESP-NN 1.2.3, on ESP32-S3"),
    )
}


def get_kernels(name: str) -> Kernels:
    """Return the kernel library called `name`.

    Raises:
        SchemeError: No library has that name; the text lists those there are.
    """
    if name not in KERNELS:
        raise SchemeError(f"unknown kernels {name!r}; known: {', '.join(KERNELS)}")
    return KERNELS[name]
