"""The parts that random models are put together from: each takes a model in the making and its last tensor.

A part returns an image, `[batch, rows, columns, channels]`; a head the model's outputs.
"""

from collections.abc import Callable
from math import prod
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import layers, ops

Image: TypeAlias = Any


class Net:
    """A model in the making."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.inputs: list[Image] = []

    def pick(self, *options: Any) -> Any:
        return options[self.rng.integers(len(options))]

    def width(self) -> int:
        return int(self.rng.choice([2, 4, 6]))

    def input(self, size: tuple[int, int], channels: int) -> Image:
        self.inputs.append(keras.Input((*size, channels)))
        return self.inputs[-1]

    def conv(self, x: Image, filters: int | None = None, *, size: int = 3, **options: Any) -> Image:
        return layers.Conv2D(filters or self.width(), size, padding="same", **options)(x)


PARTS: dict[str, Callable[[Net, Image], Image]] = {}
HEADS: dict[str, Callable[[Net, Image], Any]] = {}


def part(function: Callable[[Net, Image], Image]) -> Callable[[Net, Image], Image]:
    PARTS[function.__name__] = function
    return function


def head(function: Callable[[Net, Image], Any]) -> Callable[[Net, Image], Any]:
    HEADS[function.__name__] = function
    return function


@part
def conv(net: Net, x: Image) -> Image:
    activation = net.pick(None, "relu", "tanh")
    return net.conv(
        x, use_bias=net.pick(True, False), activation=activation, dilation_rate=net.pick(1, 2)
    )


@part
def strided(net: Net, x: Image) -> Image:
    return layers.Conv2D(net.width(), 2, strides=net.pick(1, 2), padding="same")(x)


@part
def batch_norm(net: Net, x: Image) -> Image:
    x = layers.BatchNormalization(scale=net.pick(True, False), center=net.pick(True, False))(
        net.conv(x)
    )
    return layers.Activation(net.pick("relu", "sigmoid"))(layers.BatchNormalization()(x))


@part
def residual(net: Net, x: Image) -> Image:
    y = layers.BatchNormalization()(net.conv(layers.ReLU()(x)))
    y = net.conv(layers.ReLU()(y), x.shape[-1])
    return layers.Add()(net.pick([x, y], [y, x]))


@part
def projected(net: Net, x: Image) -> Image:
    filters = net.width()
    y = net.conv(net.conv(x, activation="relu"), filters)
    return layers.ReLU()(
        layers.Add()([net.conv(x, filters, size=1), layers.BatchNormalization()(y)])
    )


@part
def concatenated(net: Net, x: Image) -> Image:
    return layers.Concatenate()([net.conv(x), x, net.conv(x, activation="relu")])


@part
def ranges(net: Net, x: Image) -> Image:
    """The one convolution's channels split into ranges, one for each of the others."""
    one, other = net.conv(x, 2), net.conv(x, 4)
    both = layers.Concatenate()([one, other])
    return net.pick(layers.Add, layers.Maximum, layers.Subtract)()([both, net.conv(x, 6)])


@part
def residual_ranges(net: Net, x: Image) -> Image:
    left = max(1, x.shape[-1] // 2)
    sides = [net.conv(x, left)] + ([net.conv(x, x.shape[-1] - left)] if x.shape[-1] > left else [])
    return layers.Add()([x, layers.Concatenate()(sides) if len(sides) > 1 else sides[0]])


@part
def squeeze_excite(net: Net, x: Image) -> Image:
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = net.conv(gate, size=1, activation="relu")
    return layers.Multiply()([x, net.conv(gate, x.shape[-1], size=1, activation="sigmoid")])


@part
def squeeze_excite_dense(net: Net, x: Image) -> Image:
    gate = layers.Dense(net.width(), activation="relu")(layers.GlobalMaxPooling2D()(x))
    gate = layers.Dense(x.shape[-1], activation="sigmoid")(gate)
    return layers.Multiply()([x, layers.Reshape((1, 1, x.shape[-1]))(gate)])


@part
def spatial_gate(net: Net, x: Image) -> Image:
    return layers.Multiply()([net.conv(x, 1, activation="sigmoid"), x])


@part
def shared(net: Net, x: Image) -> Image:
    layer = layers.Conv2D(x.shape[-1], 3, padding="same")
    return layer(layers.ReLU()(layer(x)))


@part
def shared_branches(net: Net, x: Image) -> Image:
    layer, norm = layers.Conv2D(net.width(), 3, padding="same"), layers.BatchNormalization()
    return layers.Average()([norm(layer(x)), norm(layer(layers.LeakyReLU()(x)))])


@part
def depthwise(net: Net, x: Image) -> Image:
    return layers.DepthwiseConv2D(
        3, padding="same", depth_multiplier=net.pick(1, 2), use_bias=net.pick(True, False)
    )(x)


@part
def grouped(net: Net, x: Image) -> Image:
    x = net.conv(x, net.pick(4, 6))
    return net.conv(x, net.pick(4, 6), groups=2)


@part
def group_norm(net: Net, x: Image) -> Image:
    return layers.GroupNormalization(groups=net.pick(2, -1))(net.conv(x, net.pick(4, 6)))


@part
def layer_norm(net: Net, x: Image) -> Image:
    return layers.LayerNormalization()(net.conv(x))


@part
def separable(net: Net, x: Image) -> Image:
    return layers.SeparableConv2D(net.width(), 3, padding="same", depth_multiplier=net.pick(1, 2))(
        x
    )


@part
def transposed(net: Net, x: Image) -> Image:
    x = layers.Conv2DTranspose(net.width(), 2, strides=2, padding="same")(x)
    return layers.AveragePooling2D(2)(x)


@part
def pooled(net: Net, x: Image) -> Image:
    pooling = net.pick(layers.MaxPooling2D, layers.AveragePooling2D)
    return pooling(2, strides=net.pick(1, 2), padding="same")(x)


@part
def resized(net: Net, x: Image) -> Image:
    x = layers.Cropping2D(((1, 0), (0, 1)))(layers.UpSampling2D(2)(x))
    return layers.MaxPooling2D(2)(layers.ZeroPadding2D(((0, 1), (1, 0)))(x))


@part
def prelu(net: Net, x: Image) -> Image:
    return layers.PReLU(shared_axes=net.pick(None, [1, 2]))(net.conv(x))


@part
def pointwise_dense(net: Net, x: Image) -> Image:
    return layers.Dropout(0.5)(layers.Dense(net.width(), activation="gelu")(x))


@part
def sequence(net: Net, x: Image) -> Image:
    height, width, channels = x.shape[1:]
    y = layers.Conv1D(net.width(), 3, padding="same")(layers.Reshape((height * width, channels))(x))
    return layers.Reshape((height, width, -1))(layers.MaxPooling1D(1)(y))


@part
def permuted(net: Net, x: Image) -> Image:
    """Swap height and width, then carry the channel axis to the front and back."""
    x = layers.Permute((2, 1, 3))(net.conv(x))
    return layers.Permute((2, 3, 1))(layers.ReLU()(layers.Permute((3, 1, 2))(x)))


@part
def nested(net: Net, x: Image) -> Image:
    inputs = keras.Input(x.shape[1:])
    inner = layers.BatchNormalization()(net.conv(inputs, activation="relu"))
    model = keras.Model(inputs, layers.Add()([net.conv(inner, x.shape[-1]), inputs]))
    return model(model(x)) if net.pick(True, False) else model(x)


@part
def nested_sequential(net: Net, x: Image) -> Image:
    stack = [
        layers.Conv2D(net.width(), 3, padding="same"),
        layers.BatchNormalization(),
        layers.ReLU(),
    ]
    return keras.Sequential([keras.Input(x.shape[1:]), *stack])(x)


@keras.saving.register_keras_serializable("tests")
class ConvBlock(layers.Layer):
    """A layer made of layers, as users write them: it is opened, and the names inside are Keras' own."""

    def __init__(self, filters: int, inner: int, **options: Any) -> None:
        super().__init__(**options)
        self.filters, self.inner = filters, inner
        self.first, self.norm = layers.Conv2D(inner, 3, padding="same"), layers.BatchNormalization()
        self.body = keras.Sequential([layers.ReLU(), layers.Conv2D(filters, 1)])

    def build(self, shape: Any) -> None:
        inside = (*shape[:-1], self.inner)
        self.first.build(shape), self.norm.build(inside), self.body.build(inside)

    def call(self, x: Any, training: bool = False) -> Any:
        y = self.body(self.norm(self.first(x), training=training))
        return ops.relu(y) + x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "inner": self.inner}


@part
def composite(net: Net, x: Image) -> Image:
    block = ConvBlock(x.shape[-1], net.width())
    return block(block(x)) if net.pick(True, False) else block(x)


@part
def second_input(net: Net, x: Image) -> Image:
    other = net.input(x.shape[1:3], 2)
    return layers.Add()([net.conv(x, 4), net.conv(other, 4)])


@part
def operators(net: Net, x: Image) -> Image:
    y = net.conv(x)
    return ops.relu(y * 0.5 + 0.1) + ops.maximum(-y, 2.0 * y) * y


@part
def operator_residual(net: Net, x: Image) -> Image:
    return ops.add(x, ops.silu(net.conv(x, x.shape[-1])))


@part
def mean_gate(net: Net, x: Image) -> Image:
    return x * ops.sigmoid(ops.mean(x, axis=(1, 2), keepdims=True))


@part
def channel_mean(net: Net, x: Image) -> Image:
    return x * ops.mean(x, axis=-1, keepdims=True)


@part
def split_halves(net: Net, x: Image) -> Image:
    one, other = ops.split(net.conv(x, 6), 2, axis=-1)
    return (
        ops.concatenate([ops.relu(one), other], axis=-1) if net.pick(True, False) else one * other
    )


@part
def split_at(net: Net, x: Image) -> Image:
    one, other = ops.split(net.conv(x, 6), [2], axis=-1)
    return ops.concatenate([net.conv(one, 2), other], axis=-1)


@part
def sliced(net: Net, x: Image) -> Image:
    return net.conv(x, 4)[:, :, :, 1:3] if net.pick(True, False) else x[:, 1:, :, :]


@part
def indexed(net: Net, x: Image) -> Image:
    """Rows, columns and new axes by index; a loaded model holds lists where these tuples were."""
    row = x[:, -1, :] if net.pick(True, False) else x[:, ..., 0, :]
    return net.conv(x[:, ::-1, ...] + row[:, None], 4)


@part
def adapted(net: Net, x: Image) -> Image:
    """Statistics that were adapted to data, with which the layer computes as constants."""
    layer = layers.Normalization(axis=net.pick(-1, None))
    layer.adapt(net.rng.normal(1, 3, (8, *x.shape[1:])))
    return net.conv(layer(x))


@part
def augmented(net: Net, x: Image) -> Image:
    """Layers with a random state; they do nothing at inference."""
    x = layers.RandomFlip("horizontal", seed=int(net.rng.integers(99)))(x)
    x = layers.RandomTranslation(0.2, 0.2, seed=int(net.rng.integers(99)))(x)
    return layers.GaussianNoise(0.3, seed=int(net.rng.integers(99)))(
        net.conv(layers.Dropout(0.5)(x))
    )


@part
def reshaped(net: Net, x: Image) -> Image:
    height, width, channels = x.shape[1:]
    flat = ops.relu(ops.reshape(x, (-1, height * width, channels)))
    return ops.transpose(ops.reshape(flat, (-1, height, width, channels)), (0, 2, 1, 3))


@part
def shuffled(net: Net, x: Image) -> Image:
    """The channel shuffle of ShuffleNet: positions interleave, so nothing may be re-ordered freely."""
    height, width = x.shape[1:3]
    x = layers.Reshape((height, width, 2, 3))(net.conv(x, 6))
    return layers.Reshape((height, width, 6))(layers.Permute((1, 2, 4, 3))(x))


@head
def flatten(net: Net, x: Image) -> Any:
    return layers.Dense(3)(layers.Flatten()(x))


@head
def pool(net: Net, x: Image) -> Any:
    x = layers.Dense(net.width(), activation="tanh")(layers.GlobalAveragePooling2D()(x))
    return layers.Dense(3)(x)


@head
def softmax(net: Net, x: Image) -> Any:
    return layers.Dense(3, activation="softmax")(
        layers.BatchNormalization()(ops.max(x, axis=(1, 2)))
    )


@head
def image(net: Net, x: Image) -> Any:
    return net.conv(x, 2)


@head
def features(net: Net, x: Image) -> Any:
    return x


@head
def unrolled(net: Net, x: Image) -> Any:
    return layers.Dense(2)(layers.PReLU()(layers.Reshape((prod(x.shape[1:]),))(x)))


@head
def two_outputs(net: Net, x: Image) -> Any:
    pooled = layers.Concatenate()(
        [layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)]
    )
    return {"classes": layers.Dense(3)(pooled), "map": net.conv(x, 1)}
