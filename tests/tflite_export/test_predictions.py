"""What a cost predicts without converting anything, against the file and against TFLM's own account."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
import tflite_export as tx
from tests.support.weights import randomize
from tfelastic._cost import lower, tflite_bytes
from tfelastic._plan import Selection
from tflite_export.arena import with_arena_plan
from tflite_export.tflite import operators, strip

RNG = np.random.default_rng(0)

Maker = Callable[[Any], Any]


def _branch(x: Any) -> Any:
    return layers.Conv2D(4, 1, name="branch")(x)


def _normalized(layer: layers.Layer) -> Maker:
    return lambda x: layers.ReLU()(layers.BatchNormalization()(layer(x)))


def _gated(x: Any) -> Any:
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return layers.Multiply()([x, layers.Dense(4, activation="sigmoid")(gate)])


# One of each kind: what TFLM cannot run, or integers cannot express, is left to the other tests.
TWO_AXES: dict[str, Maker] = {
    "bias and relu": layers.Conv2D(6, 3, activation="relu"),
    "bias, normalized": _normalized(layers.Conv2D(6, 3)),
    "normalized": _normalized(layers.Conv2D(6, 3, use_bias=False)),
    "no bias": layers.Conv2D(6, 3, use_bias=False, activation="relu6"),
    "swish": layers.Conv2D(6, 3, activation="silu"),
    "depthwise": layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu"),
    "separable": layers.SeparableConv2D(6, 3, activation="relu"),
    "transposed": layers.Conv2DTranspose(4, 3, strides=2, activation="relu"),
    "dense on pixels": layers.Dense(6, activation="relu"),
    "grouped": layers.Conv2D(8, 3, groups=2),
    "dilated": layers.Conv2D(4, 3, dilation_rate=2, padding="same"),
    "bilinear": layers.UpSampling2D(2, interpolation="bilinear"),
    "repeated once": layers.UpSampling2D(1),
    "resized": layers.Resizing(12, 12, interpolation="nearest"),
    "unfolded": lambda x: layers.BatchNormalization()(layers.MaxPooling2D()(x)),
    "slopes": layers.PReLU(shared_axes=(1, 2)),
    "leaky": layers.LeakyReLU(),
    "hard swish": layers.Activation("hard_silu"),
    "tanh": layers.Activation("tanh"),
    "bounded": layers.ReLU(max_value=4),
    "softmax": layers.Softmax(),
    "margin": layers.ZeroPadding2D(1),
    "cut": layers.Cropping2D(1),
    "mean": layers.GlobalAveragePooling2D(),
    "maximum": layers.GlobalMaxPooling2D(),
    "flattened": layers.Flatten(),
    "turned": layers.Permute((2, 1, 3)),
    "sum": lambda x: layers.ReLU()(layers.Add()([x, _branch(x)])),
    "difference": lambda x: layers.Subtract()([x, _branch(x)]),
    "joined": lambda x: layers.Concatenate()([x, _branch(x)]),
    "gated": _gated,
}
ONE_AXIS: dict[str, Maker] = {
    "bias and relu": layers.Conv1D(6, 3, activation="relu"),
    "normalized": _normalized(layers.Conv1D(6, 3, use_bias=False)),
    "causal": layers.Conv1D(6, 3, padding="causal"),
    "depthwise": layers.DepthwiseConv1D(3),
    "separable": layers.SeparableConv1D(6, 3),
    "maximum": layers.MaxPooling1D(2),
    "average": layers.AveragePooling1D(2),
    "margin": layers.ZeroPadding1D(1),
    "cut": layers.Cropping1D(1),
    "mean": layers.GlobalAveragePooling1D(),
    "flattened": layers.Flatten(),
}


def _net(kinds: list[Maker], axes: int, name: str = "net") -> keras.Model:
    """Return a net of layers between two convolutions, with the last one dense where no positions are left."""
    conv = layers.Conv2D if axes == 2 else layers.Conv1D
    inputs = keras.Input((*[12] * axes, 3))
    x = conv(4, 3, padding="same")(inputs)
    for kind in kinds:
        layer = kind
        if isinstance(kind, layers.Layer):
            layer = type(kind).from_config({**kind.get_config(), "name": None})
        x = layer(x)
    last = layers.Dense(3) if len(x.shape) == 2 else conv(3, 3, padding="same")
    return randomize(keras.Model(inputs, last(x), name=name), seed=1, alive=True)


def _check(model: keras.Model, *, bytes_within: float) -> bytes:
    samples = RNG.normal(size=(2, *model.input_shape[1:])).astype("float32")
    tflite = tx.convert(model, samples=samples)
    selection = Selection(te.trace(model))
    found = Counter(operation.name for operation in operators(tflite))
    assert Counter(each.kind for each in lower(selection).operations) == found
    assert te.cost(model).guessed == ()
    assert tflite_bytes(selection) == pytest.approx(len(tflite), rel=bytes_within)
    return tflite


@pytest.mark.parametrize("kind", TWO_AXES)
def test_each_layer_becomes_what_is_predicted(kind: str) -> None:
    # Files of 2,000 to 4,000 bytes, much of them names, which are as long as Keras' counters stand high.
    _check(_net([TWO_AXES[kind]], 2), bytes_within=0.08)


@pytest.mark.parametrize("kind", ONE_AXIS)
def test_each_layer_over_one_axis_becomes_what_is_predicted(kind: str) -> None:
    # Nets of 4,000 bytes, a tenth of them names of RESHAPEs.
    _check(_net([ONE_AXIS[kind]], 1), bytes_within=0.12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_nets_become_what_is_predicted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    keep_positions = [
        name
        for name in TWO_AXES
        if name not in ("mean", "maximum", "flattened", "cut", "transposed", "resized", "gated")
    ]
    kinds = [TWO_AXES[name] for name in rng.choice(keep_positions, 6, replace=False)]
    wide = [layers.Conv2D(4, 1, activation="relu")]
    model = _net([each for kind in kinds for each in (kind, *wide)], 2, name=f"random_{seed}")
    tflite = _check(model, bytes_within=0.05)
    activations = tx.measure_arena(with_arena_plan(strip(tflite))).activation_bytes
    assert te.cost(model).peak_bytes == pytest.approx(activations, rel=0.02)


def test_a_layer_that_nobody_looked_at_is_called_a_guess() -> None:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="selu", name="odd")(inputs)
    cost = te.cost(keras.Model(inputs, layers.UnitNormalization(name="unit")(x)))
    assert cost.guessed == ("odd", "unit")
    assert "(a guess for odd, unit)" in str(cost)
    assert [layer.guessed for layer in te.Cost.from_json(cost.to_json()).layers] == [
        layer.path in cost.guessed for layer in cost.layers
    ]
