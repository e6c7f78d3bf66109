"""Layers and operations that work value by value, by law 2."""

from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import tfelastic as te
from tests.support.pruning_checks import CHANNELS, assert_frozen, assert_law2, net

_NAMES = """
celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear log_sigmoid mish relu
relu6 selu sigmoid silu soft_shrink softplus softsign sparse_plus sparse_sigmoid squareplus tanh tanh_shrink
"""
ACTIVATIONS = _NAMES.split()

LAYERS = {
    "relu": lambda: layers.ReLU(max_value=4.0, negative_slope=0.1, threshold=0.2),
    "leaky_relu": lambda: layers.LeakyReLU(0.2),
    "elu": lambda: layers.ELU(),
    "prelu": lambda: layers.PReLU(),
    "prelu_shared": lambda: layers.PReLU(shared_axes=[1, 2]),
    "prelu_one_slope": lambda: layers.PReLU(shared_axes=[1, 2, 3]),
    "dropout": lambda: layers.Dropout(0.5),
    "spatial_dropout": lambda: layers.SpatialDropout2D(0.5),
    "alpha_dropout": lambda: layers.AlphaDropout(0.5),
    "gaussian_dropout": lambda: layers.GaussianDropout(0.5),
    "gaussian_noise": lambda: layers.GaussianNoise(0.5),
    "regularization": lambda: layers.ActivityRegularization(l2=0.1),
    "identity": lambda: layers.Identity(),
    "rescaling": lambda: layers.Rescaling(0.5, offset=0.1),
    "softmax_over_rows": lambda: layers.Softmax(axis=1),
}

OPERATIONS = {
    "abs": ops.abs,
    "clip": lambda x: ops.clip(x, -1.0, 1.0),
    "erf": ops.erf,
    "exp_of_negative": lambda x: ops.exp(-x),
    "gelu": ops.gelu,
    "log_of_square": lambda x: ops.log1p(ops.square(x)),
    "relu6": ops.relu6,
    "rsqrt": lambda x: ops.rsqrt(ops.square(x) + 1.0),
    "silu": ops.silu,
    "sin": ops.sin,
    "sign": lambda x: ops.sign(x) * ops.sqrt(ops.abs(x)),
    "softplus": ops.softplus,
    "cast_there_and_back": lambda x: ops.cast(ops.cast(x, "float32"), "float64"),
    "stop_gradient": ops.stop_gradient,
    "hard_swish_by_hand": lambda x: x * layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_passes_channels_on(name: str) -> None:
    assert_law2(net(layers.Activation(name)))


@pytest.mark.parametrize("name", LAYERS)
def test_layer_passes_channels_on(name: str) -> None:
    assert_law2(net(LAYERS[name]()))


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_passes_channels_on(name: str) -> None:
    assert_law2(net(OPERATIONS[name]))


def test_activation_of_the_backend_is_known_by_its_name() -> None:
    import tensorflow

    assert_law2(net(layers.Conv2D(6, 3, activation=tensorflow.nn.relu, name="tested")))


CROSSING = {
    "softmax": (lambda: layers.Softmax(), "normalises over them"),
    "softmax_operation": (lambda: lambda x: ops.softmax(x, axis=-1), "normalises over them"),
    "log_softmax": (lambda: ops.log_softmax, "normalises over them"),
    "activation": (lambda: layers.Activation("softmax"), "'softmax', which may look across"),
    "glu": (lambda: lambda x: ops.glu(x), "Glu has no rule"),
    "rescaling": (
        lambda: layers.Rescaling(list(np.linspace(0.5, 1.5, CHANNELS))),
        "has a constant factor per channel",
    ),
    "clip": (
        lambda: lambda x: ops.clip(x, -1.0, np.linspace(0.1, 1, CHANNELS)),
        "may hold a limit per channel",
    ),
}


@pytest.mark.parametrize("name", CROSSING)
def test_what_looks_across_channels_freezes_them(name: str) -> None:
    make, reason = CROSSING[name]
    assert_frozen(net(make()), "maker", reason)


def test_rescaling_of_the_input_freezes_nothing() -> None:
    inputs = keras.Input((6, 6, 3))
    x = layers.Rescaling([0.5, 1.0, 1.5], offset=[0.1, 0.2, 0.3])(inputs)
    x = layers.Flatten()(layers.Conv2D(8, 3, name="maker")(x))
    assert_law2(keras.Model(inputs, layers.Dense(3)(x)))


def own_swish(x: Any) -> Any:
    return x * ops.sigmoid(x)


def gelu(x: Any) -> Any:
    """The approximate one, under the name of Keras' own."""
    return keras.activations.gelu(x, approximate=True)


def slopes(**options: Any) -> layers.Layer:
    """A layer with weights of its own."""
    start = keras.initializers.RandomUniform(0.1, 0.9, seed=0)
    return layers.PReLU(alpha_initializer=start, **options)


OWN_ACTIVATIONS = {
    "function": lambda: own_swish,
    "function_called_like_one_of_keras": lambda: gelu,
    "lambda": lambda: lambda x: ops.leaky_relu(x, 0.1) + 0.5,
    "partial": lambda: partial(keras.activations.gelu, approximate=True),
    "per_image": lambda: lambda x: x / (1 + ops.mean(ops.abs(x), axis=(1, 2), keepdims=True)),
    "layer": lambda: layers.LeakyReLU(0.3),
    "layer_within_a_layer": lambda: layers.Activation(own_swish),
    "layer_with_weights": lambda: slopes(shared_axes=[1, 2]),
    "layer_with_weights_per_position": slopes,
}


@pytest.mark.parametrize("name", OWN_ACTIVATIONS)
def test_activation_that_is_a_layer_or_a_function_of_ones_own_is_traced(name: str) -> None:
    def part(x: Any) -> Any:
        return layers.Conv2D(6, 3, activation=OWN_ACTIVATIONS[name](), name="tested")(x)

    assert_law2(net(part), prunable=("maker", "tested"))


def test_several_layers_may_apply_one_activation() -> None:
    shared = slopes(shared_axes=[1, 2])

    def part(x: Any) -> Any:
        x = layers.Conv2D(6, 3, activation=shared, name="first")(x)
        return layers.Conv2D(6, 1, activation=shared, name="second")(x)

    graph = assert_law2(net(part), prunable=("maker", "first"))
    assert {"first", "second"} <= {member.layer for member in graph.group("first").members}


def test_weights_of_an_activation_are_cut_with_the_channels_that_enter_it() -> None:
    model = net(lambda x: layers.Conv2D(6, 3, activation=slopes(shared_axes=[1, 2]), name="c")(x))
    graph = te.trace(model)
    model.get_layer("c").activation.alpha.assign(np.arange(6.0).reshape(1, 1, 6))
    pruned = te.prune(model, te.KeepPlan(graph.fingerprint, {"c": (4, 1)}))
    np.testing.assert_array_equal(pruned.get_layer("c").activation.alpha, [[[4.0, 1.0]]])


MIXING = {
    "softmax": lambda: lambda x: ops.softmax(x, axis=-1),
    "softmax_layer": lambda: layers.Softmax(),
    "reversed": lambda: lambda x: x + ops.flip(x, axis=-1),
    "mean_of_channels": lambda: lambda x: x - ops.mean(x, axis=-1, keepdims=True),
    "value_per_channel": lambda: lambda x: x * np.arange(6.0),
}


@pytest.mark.parametrize("name", MIXING)
def test_activation_that_looks_across_channels_freezes_them(name: str) -> None:
    def part(x: Any) -> Any:
        return layers.Conv2D(6, 3, activation=MIXING[name](), name="tested")(x)

    graph = te.trace(net(part))
    if name == "reversed":
        # Channels that meet their mirror image are coupled, so pairs go together.
        assert graph.group("tested").size == 3
    else:
        assert graph.group("tested").frozen
