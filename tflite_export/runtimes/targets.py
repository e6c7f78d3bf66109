"""Targets: the kinds of device that a file is made for, and the operators that each can run.

| target | runtime                                   | operators                                  |
|--------|-------------------------------------------|--------------------------------------------|
| phone  | LiteRT, with or without XNNPACK           | TFLite's builtin ones that keep no state   |
| tflm   | TensorFlow Lite for Microcontrollers      | those of them that TFLM registers          |

Both lists name what may be in a file. An operator that is not on the list is refused when the file is
made, not on the device.
"""

from dataclasses import dataclass

from tflite_export.errors import SchemeError

_TFLM_NAMES = """
    ABS ADD ADD_N ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS
    BROADCAST_TO CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE
    DIV ELU EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND
    GREATER GREATER_EQUAL HARD_SWISH L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG
    LOG_SOFTMAX LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC MAX_POOL_2D MAXIMUM MEAN MINIMUM MIRROR_PAD
    MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE
    RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX
    SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE
    SUB SUM TANH TRANSPOSE TRANSPOSE_CONV UNPACK ZEROS_LIKE
"""


_MORE_NAMES = """
    ATAN2 CONV_3D CONV_3D_TRANSPOSE GELU LOCAL_RESPONSE_NORMALIZATION MATRIX_DIAG MATRIX_SET_DIAG ONE_HOT
    POW RANGE RANK REDUCE_ALL REDUCE_ANY REDUCE_PROD RELU_0_TO_1 RELU_N1_TO_1 REVERSE_SEQUENCE SCATTER_ND
    SEGMENT_SUM SELECT SIGN SPARSE_TO_DENSE TILE TOPK_V2 UNIQUE WHERE
"""

_TFLM = frozenset(_TFLM_NAMES.split())
_PHONE = _TFLM.union(_MORE_NAMES.split())


@dataclass(frozen=True, kw_only=True)
class Target:
    """A kind of device.

    Attributes:
        name: What users write: `convert(model, target=name)`.
        operators: The operators that a file for it may use, as the schema names them.
        tflm: Whether TFLM runs the file, so that verification asks TFLM too.
    """

    name: str
    operators: frozenset[str]
    tflm: bool = False


TARGETS = {
    target.name: target
    for target in (
        Target(name="phone", operators=_PHONE),
        Target(name="tflm", operators=_TFLM, tflm=True),
    )
}
"""Where variants can run, by name."""


def get_target(name: str) -> Target:
    """Return the target called `name`.

    Raises:
        SchemeError: No target has that name; the text lists those there are.
    """
    if name not in TARGETS:
        raise SchemeError(f"unknown target {name!r}; known: {', '.join(TARGETS)}")
    return TARGETS[name]
