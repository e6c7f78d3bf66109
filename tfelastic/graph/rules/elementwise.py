"""Layers and operations that work value by value: what goes in at a channel comes out at that channel."""

import inspect
from typing import Any

import keras
import numpy as np

from tfelastic.graph.layer_call import LayerCall, NoRule, Tensor
from tfelastic.graph.rule_registry import operations, rule

layers = keras.layers

# Activations that look at one value at a time (softmax and glu, which do not, are missing on purpose).
_NAMES = """
celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
mish relu relu6 selu sigmoid silu soft_shrink softplus softsign sparse_plus sparse_sigmoid squareplus swish tanh
tanh_shrink threshold
"""
_POINTWISE = frozenset(_NAMES.split())
_BACKENDS = ("keras.", "tensorflow.", "jax.")


def activate(call: LayerCall, labels: np.ndarray, activation: Any) -> np.ndarray:
    """Return the labels after a layer's own `activation`, frozen where that looks across channels.

    A layer, or a function that is not one of Keras' own, is traced.
    """
    if activation is None:
        return labels
    name = getattr(activation, "__name__", type(activation).__name__)
    if inspect.isroutine(activation) and str(activation.__module__).startswith(_BACKENDS):
        if name in _POINTWISE:
            return labels
        reason = ""
    else:
        try:
            return call.follow(activation, labels)
        except NoRule as cause:
            reason = f": {cause}"
    call.freeze(labels, f"has the activation {name!r}, which may look across channels{reason}")
    return labels


@rule(
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.AlphaDropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.ActivityRegularization,
    layers.Identity,
    "keras.convnext.StochasticDepth",
    *operations(
        "nn",
        "Celu Elu Gelu HardShrink HardSigmoid HardSilu HardTanh LeakyRelu LogSigmoid Relu Relu6 Selu "
        "Sigmoid Silu SoftShrink Softplus Softsign SparsePlus SparseSigmoid Squareplus TanhShrink "
        "Threshold",
    ),
    *operations(
        "numpy",
        "Abs Absolute Ceil Cos Exp Exp2 Expm1 Fabs Floor Log Log10 Log1p Log2 LogicalNot Negative "
        "Reciprocal Round Sign Sin Sqrt Square Tanh Trunc",
    ),
    "keras.core.Cast",
    "keras.core.ConvertToTensor",
    "keras.core.StopGradient",
    "keras.core.SaturateCast",
    "keras.math.Erf",
    "keras.math.Rsqrt",
)
def pointwise(call: LayerCall) -> np.ndarray:
    """One value in, one value out."""
    return call.inputs[0].labels


@rule("keras.numpy.Clip")
def clip(call: LayerCall) -> np.ndarray:
    """The same limits for all values."""
    if np.size(call.layer.x_min) > 1 or np.size(call.layer.x_max) > 1:
        raise NoRule("it clips to an array, which may hold a limit per channel")
    return call.inputs[0].labels


@rule(layers.Activation)
def activation(call: LayerCall) -> np.ndarray:
    """A named activation; softmax and unknown functions freeze their channels."""
    return activate(call, call.inputs[0].labels, call.layer.activation)


@rule(layers.Softmax, "keras.nn.Softmax", "keras.nn.LogSoftmax")
def softmax(call: LayerCall) -> np.ndarray:
    """Normalises along an axis, so the channels there cannot be dropped unseen."""
    x = call.inputs[0]
    axes = np.atleast_1d(call.layer.axis) % len(x.shape)
    if any(axis == 0 or x.labels.shape[axis - 1] > 1 for axis in axes) or x.labels.size == 1:
        call.freeze(x.labels, "normalises over them")
    return x.labels


@rule(layers.PReLU)
def prelu(call: LayerCall) -> np.ndarray:
    """One learned slope per position that is not shared."""
    x, alpha = call.inputs[0], call.layer.alpha
    for axis, length in enumerate(alpha.shape):
        if length > 1 and x.labels.shape[axis] > 1:
            call.bind(alpha, axis, call.channels_of(x, axis + 1))
    return x.labels


@rule(layers.Rescaling)
def rescaling(call: LayerCall) -> np.ndarray:
    """One factor for all values; with a factor per channel the channels are frozen."""
    x = call.inputs[0]
    if np.ndim(call.layer.scale) or np.ndim(call.layer.offset):
        call.freeze(x.labels, "has a constant factor per channel")
    return x.labels


@rule("keras.convnext.LayerScale")
def layer_scale(call: LayerCall) -> np.ndarray:
    """One learned factor per channel of the last axis."""
    x = call.inputs[0]
    labels = call.channels_of(x, -1)
    call.bind(call.layer.gamma, 0, labels, role="scale")
    call.resizes("projection_dim", labels)
    return x.labels


def constants(call: LayerCall) -> None:
    """Refuse a call that captures an array: it may hold a value per channel."""
    for leaf in keras.tree.flatten((call.args, call.kwargs)):
        if not isinstance(leaf, str | Tensor) and np.size(leaf) > 1:
            raise NoRule("it takes a constant array, which may hold a value per channel")
