"""What the converter makes of each layer on its own, as tables: which operations, of what size, and which may merge.

`lowering.py` reads them to put a graph's operations together.
"""

from typing import Any

import keras
import numpy as np

from tfelastic.graph import Step

VANISHING = frozenset(
    (
        "ActivityRegularization",
        "AlphaDropout",
        "Cast",
        "Dropout",
        "GaussianDropout",
        "GaussianNoise",
        "Identity",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "StochasticDepth",
        "StopGradient",
    )
)
AFFINE = frozenset(["BatchNormalization", "LayerScale", "Normalization", "Rescaling"])
ACTIVATIONS = frozenset(["Activation", "ReLU", "Relu", "Relu6", "Silu", "HardSilu"])

KINDS = {
    "Add": "ADD",
    "Average": "ADD",
    "AveragePooling2D": "AVERAGE_POOL_2D",
    "Concatenate": "CONCATENATION",
    "Conv2D": "CONV_2D",
    "Conv2DTranspose": "TRANSPOSE_CONV",
    "Conv3D": "CONV_3D",
    "Cropping1D": "STRIDED_SLICE",
    "Cropping2D": "STRIDED_SLICE",
    "Dense": "FULLY_CONNECTED",
    "DepthwiseConv2D": "DEPTHWISE_CONV_2D",
    "ELU": "ELU",
    "Flatten": "RESHAPE",
    "GlobalAveragePooling1D": "MEAN",
    "GlobalAveragePooling2D": "MEAN",
    "GlobalMaxPooling1D": "REDUCE_MAX",
    "GlobalMaxPooling2D": "REDUCE_MAX",
    "LeakyReLU": "LEAKY_RELU",
    "MaxPooling2D": "MAX_POOL_2D",
    "Maximum": "MAXIMUM",
    "Mean": "MEAN",
    "Minimum": "MINIMUM",
    "Multiply": "MUL",
    "PReLU": "PRELU",
    "Permute": "TRANSPOSE",
    "Reshape": "RESHAPE",
    "Softmax": "SOFTMAX",
    "Subtract": "SUB",
    "ZeroPadding1D": "PAD",
    "ZeroPadding2D": "PAD",
    "exponential": "EXP",
    "gelu": "GELU",
    "hard_silu": "HARD_SWISH",
    "relu": "RELU",
    "relu6": "RELU6",
    "sigmoid": "LOGISTIC",
    "softmax": "SOFTMAX",
    "tanh": "TANH",
}

# Which operations can take up a factor per output channel, which can end in a ReLU, which read two values at a time.
FOLDING = frozenset(
    ["CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"]
)
FUSING = FOLDING | frozenset(["ADD", "AVERAGE_POOL_2D", "MAX_POOL_2D", "MUL", "SUB"])
PAIRWISE = frozenset(["ADD", "MAXIMUM", "MINIMUM", "MUL"])
FUSED = frozenset(("relu", "relu6"))

# What becomes of layers and activations that take several operations: the kind of each, what it reads (0 is what
# enters, 1 the first operation's value, ...), and how large its value is: as what enters, as what leaves, as what
# leaves with a single channel ("position"), or as a depthwise convolution's ("wide").
Part = tuple[str, tuple[int, ...], str]
PARTS: dict[str, tuple[Part, ...]] = {
    "LayerNormalization": (
        ("MEAN", (0,), "position"),
        ("SQUARED_DIFFERENCE", (0, 1), "out"),
        ("MEAN", (2,), "position"),
        ("ADD", (3,), "position"),
        ("RSQRT", (4,), "position"),
        ("MUL", (5,), "out"),
        ("MUL", (1, 6), "out"),
        ("ADD", (7,), "out"),
        ("MUL", (0, 6), "out"),
        ("ADD", (9, 8), "out"),
    ),
    "SeparableConv2D": (("DEPTHWISE_CONV_2D", (0,), "wide"), ("CONV_2D", (1,), "out")),
    "UpSampling1D": (("RESHAPE", (0,), "in"), ("TILE", (1,), "out"), ("RESHAPE", (2,), "out")),
    "UpSampling2D": (
        ("RESHAPE", (0,), "in"),
        ("TILE", (1,), "rows"),
        ("RESHAPE", (2,), "rows"),
        ("TILE", (3,), "out"),
        ("RESHAPE", (4,), "out"),
    ),
    "affine": (("MUL", (0,), "out"), ("ADD", (1,), "out")),
    "factor": (("MUL", (0,), "out"),),
    "mish": (
        ("EXP", (0,), "out"),
        ("ADD", (1,), "out"),
        ("LOG", (2,), "out"),
        ("TANH", (3,), "out"),
        ("MUL", (0, 4), "out"),
    ),
    "normalization": (("SUB", (0,), "out"), ("MUL", (1,), "out")),
    "relu up to a maximum": (("MINIMUM", (0,), "out"), ("RELU", (1,), "out")),
    "softplus": (("EXP", (0,), "out"), ("ADD", (1,), "out"), ("LOG", (2,), "out")),
    "silu": (("LOGISTIC", (0,), "out"), ("MUL", (0, 1), "out")),
}

# What stands between the two RESHAPEs of a layer over one axis, and how large its values are.
ONE_AXIS: dict[str, tuple[tuple[str, str], ...]] = {
    "AveragePooling1D": (("AVERAGE_POOL_2D", "out"),),
    "Conv1D": (("CONV_2D", "out"),),
    "Conv1DTranspose": (("TRANSPOSE_CONV", "out"),),
    "DepthwiseConv1D": (("DEPTHWISE_CONV_2D", "out"),),
    "MaxPooling1D": (("MAX_POOL_2D", "out"),),
    "SeparableConv1D": (("DEPTHWISE_CONV_2D", "wide"), ("CONV_2D", "out")),
}

# Layers that an operation of its own resizes, by their interpolation.
RESIZING = {
    ("Resizing", "bilinear"): "RESIZE_BILINEAR",
    ("Resizing", "nearest"): "RESIZE_NEAREST_NEIGHBOR",
    ("UpSampling2D", "bilinear"): "RESIZE_BILINEAR",
}

# What is known to become of a layer; any other kind of operation is a guess.
KNOWN = frozenset(
    (*KINDS.values(), *(part[0] for parts in PARTS.values() for part in parts)),
).union(
    ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", *(k for p in ONE_AXIS.values() for k, _ in p))
)


def kind_of(step: Step) -> str:
    """Return the class of a step's layer; where a user derived it from one of Keras' layers, that one's."""
    kinds = [kind for kind in type(step.op).__mro__ if kind.__module__.startswith("keras.")]
    if step.opaque or not kinds or kinds[0] in (keras.Layer, keras.Operation):
        # A user's class may be called like one of Keras' own.
        own = type(step.op).__name__
        return own if type(step.op) in kinds else f"custom {own}"
    return kinds[0].__name__


def activation_name(op: Any) -> str:
    """Return the name of the activation that a layer ends in."""
    kind = type(op).__name__
    if kind == "ReLU":
        if op.negative_slope or op.threshold:
            return "ReLU of another slope"
        if op.max_value not in (None, 6):
            return "relu up to a maximum"
        return "relu6" if op.max_value else "relu"
    if kind in ("Relu", "Relu6", "Silu", "HardSilu"):
        return {"HardSilu": "hard_silu"}.get(kind, kind.lower())
    function = getattr(op, "activation", None)
    if isinstance(function, keras.Layer):
        name = activation_name(function)
        plain = name == "linear" and type(function).__name__ not in ACTIVATIONS | VANISHING
        return type(function).__name__ if plain else name
    return getattr(function, "__name__", "linear")


def parts_of(step: Step, kind: str) -> tuple[Part, ...]:
    """Return what becomes of a layer; repeating rows, columns, or nothing at all takes fewer operations."""
    if kind == "UpSampling2D":
        repeated = sum(factor > 1 for factor in step.op.size)
        return (PARTS["UpSampling1D"] if repeated == 1 else PARTS[kind]) if repeated else ()
    return PARTS[kind]


def row_factor(op: Any) -> int:
    """Return how many rows a layer makes of one."""
    size = getattr(op, "size", 1)
    return int(size[0]) if isinstance(size, tuple) else 1


def adds_shift(op: Any) -> bool:
    """Return whether a layer adds a number to each channel beside its factor."""
    return bool(np.any(getattr(op, "offset", 1))) and type(op).__name__ != "LayerScale"
