"""The op resolver: the operators of all variants, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tflite_export.errors import PackError
from tflite_export.runtimes import get_target
from tflite_export.tflite import Operator, operators
from tflite_export.tflite import kernels as stored_kernels

_IRREGULAR = {"BATCH_MATMUL": "BatchMatMul", "CUMSUM": "CumSum", "PADV2": "PadV2"}

INT8_KERNELS = {
    "ADD": "add",
    "AVERAGE_POOL_2D": "pooling",
    "BATCH_MATMUL": "batch_matmul",
    "CONV_2D": "conv",
    "DEPTHWISE_CONV_2D": "depthwise_conv",
    "FULLY_CONNECTED": "fully_connected",
    "MAX_POOL_2D": "pooling",
    "MAXIMUM": "maximum_minimum",
    "MINIMUM": "maximum_minimum",
    "MUL": "mul",
    "PAD": "pad",
    "SOFTMAX": "softmax",
    "TRANSPOSE": "transpose",
    "TRANSPOSE_CONV": "transpose_conv",
}
"""Operators of which TFLM registers kernels for int8 alone, and the header that declares them."""


@dataclass(frozen=True)
class Registration:
    """One operator of the resolver.

    Attributes:
        operator: As the schema names it.
        int8_header: The header of its kernel for int8 alone, where that is to be registered; else None.
    """

    operator: str
    int8_header: str | None

    @property
    def adder(self) -> str:
        """The resolver's method: `CONV_2D` is added by `AddConv2D`."""
        words = (word if word == "2D" else word.capitalize() for word in self.operator.split("_"))
        return "Add" + _IRREGULAR.get(self.operator, "".join(words))


def registrations(models: Mapping[str, bytes], *, int8_kernels: bool) -> tuple[Registration, ...]:
    """Return what the variants' operators take, in alphabetical order.

    Args:
        models: Each variant's .tflite.
        int8_kernels: Whether operators that are used in int8 alone get kernels of int8 alone, which take less
            flash with tuned kernels.

    Raises:
        PackError: TFLM has no such operator.
    """
    used: dict[str, list[Operator]] = {}
    for name, model in models.items():
        for operator in operators(model):
            if operator.name not in get_target("tflm").operators:
                raise PackError(
                    f"variant {name!r} uses operator {operator}, which TFLM does not have: replace its layer, "
                    "and let `tfelastic export --target tflm` check the others"
                )
            used.setdefault(operator.name, []).append(operator)
    return tuple(
        Registration(name, INT8_KERNELS.get(name) if int8_kernels and _all_int8(found) else None)
        for name, found in sorted(used.items())
    )


def check_dense(models: Mapping[str, bytes], *, kernels: str) -> None:
    """Check that dense layers are of a form that the board's kernels take.

    Source: tflite-micro, `kernels/cmsis_nn/fully_connected.cc`.

    Raises:
        PackError: CMSIS-NN is to run a dense layer of 16-bit values with a scale per output.
    """
    if not kernels.startswith("cmsis-nn"):
        return
    for name, model in models.items():
        dense = [each for each in operators(model) if each.name == "FULLY_CONNECTED"]
        scales = [
            each.weights.scales.size
            for each in stored_kernels(bytearray(model))
            if each.operator == "FULLY_CONNECTED"
        ]
        if any(each.inputs[0].dtype == "int16" for each in dense) and max(scales, default=1) > 1:
            raise PackError(
                f"variant {name!r}: FULLY_CONNECTED of 16-bit values has a scale for each output, which CMSIS-NN does "
                "not take: export it with --per-tensor-dense"
            )


def _all_int8(found: list[Operator]) -> bool:
    """Whether an operator is used in int8 alone; biases, shapes and paddings are int32."""
    return all(
        all(value.dtype in ("int8", "int32") for value in operator.inputs)
        and all(value.dtype == "int8" for value in operator.outputs)
        for operator in found
    )
