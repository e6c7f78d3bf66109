"""The pieces of every network of the zoo: alike in names, padding and initial weights."""

import dataclasses
import math
import zlib

import keras

# What He et al. and the pretrained networks use for epsilon; a short memory, since many schedules
# here are short.
_EPSILON = 1e-5
_MOMENTUM = 0.9


@dataclasses.dataclass(frozen=True)
class Parts:
    """Makes layers by name; equal names and seeds give equal initial weights.

    Convolutions are padded by (kernel_size - 1) / 2 on every side, as in the papers, whatever the
    stride: Keras' `same` would pad a stride of 2 on one side only.

    Args:
        seed: Together with a layer's name it fixes that layer's initial weights.
    """

    seed: int = 0

    def conv(
        self,
        x: keras.KerasTensor,
        filters: int,
        kernel_size: int,
        *,
        name: str,
        strides: int = 1,
        border: int | None = None,
        use_bias: bool = False,
    ) -> keras.KerasTensor:
        """Convolve `[batch, height, width, channels]` to `filters` channels, He-initialised.

        `border` is the zero pixels on every side, where the paper has others than usual.
        """
        x, padding = _pad(x, kernel_size, strides, border, name)
        return keras.layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding=padding,
            use_bias=use_bias,
            kernel_initializer=keras.initializers.HeNormal(self.seed_of(name)),
            name=name,
        )(x)

    def depthwise(self, x: keras.KerasTensor, *, name: str, strides: int = 1) -> keras.KerasTensor:
        """Convolve each channel with a 3x3 kernel of its own."""
        x, padding = _pad(x, 3, strides, None, name)
        # Each output sees the nine taps of one channel; HeNormal would count the other channels as
        # inputs too.
        initializer = keras.initializers.RandomNormal(
            stddev=math.sqrt(2 / 9), seed=self.seed_of(name)
        )
        return keras.layers.DepthwiseConv2D(
            3,
            strides=strides,
            padding=padding,
            use_bias=False,
            depthwise_initializer=initializer,
            name=name,
        )(x)

    def batch_norm(self, x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
        """Normalise each channel."""
        return keras.layers.BatchNormalization(momentum=_MOMENTUM, epsilon=_EPSILON, name=name)(x)

    def conv_bn(
        self,
        x: keras.KerasTensor,
        filters: int,
        kernel_size: int,
        *,
        name: str,
        strides: int = 1,
        use_bias: bool = False,
    ) -> keras.KerasTensor:
        """Convolve and normalise: the layers `name` and `name_bn`."""
        x = self.conv(x, filters, kernel_size, name=name, strides=strides, use_bias=use_bias)
        return self.batch_norm(x, name=f"{name}_bn")

    def conv_bn_relu(
        self,
        x: keras.KerasTensor,
        filters: int,
        kernel_size: int,
        *,
        name: str,
        strides: int = 1,
        use_bias: bool = False,
    ) -> keras.KerasTensor:
        """Convolve, normalise and rectify: the layers `name`, `name_bn` and `name_relu`."""
        x = self.conv_bn(x, filters, kernel_size, name=name, strides=strides, use_bias=use_bias)
        return self.relu(x, name=f"{name}_relu")

    def relu(
        self, x: keras.KerasTensor, *, name: str, max_value: float | None = None
    ) -> keras.KerasTensor:
        """Rectify, and cap at `max_value` where one is given."""
        return keras.layers.ReLU(max_value=max_value, name=name)(x)

    def dense(
        self, x: keras.KerasTensor, units: int, *, name: str, use_bias: bool = True
    ) -> keras.KerasTensor:
        """Connect every feature of `[batch, features]` to `units` outputs, He-initialised."""
        initializer = keras.initializers.HeNormal(self.seed_of(name))
        return keras.layers.Dense(
            units, use_bias=use_bias, kernel_initializer=initializer, name=name
        )(x)

    def max_pool(
        self, x: keras.KerasTensor, size: int, *, name: str, strides: int = 2
    ) -> keras.KerasTensor:
        """Keep the maximum of each `size` x `size` window that lies wholly inside."""
        return keras.layers.MaxPooling2D(size, strides=strides, name=name)(x)

    def dropout(self, x: keras.KerasTensor, rate: float, *, name: str) -> keras.KerasTensor:
        """Drop features in training, seeded; no layer at all where the rate is 0."""
        return keras.layers.Dropout(rate, seed=self.seed_of(name), name=name)(x) if rate else x

    def logits(self, x: keras.KerasTensor, classes: int) -> keras.KerasTensor:
        """Connect `[batch, features]` to the layer `logits`, Glorot-initialised."""
        initializer = keras.initializers.GlorotUniform(self.seed_of("logits"))
        return keras.layers.Dense(classes, kernel_initializer=initializer, name="logits")(x)

    def pooled_logits(self, x: keras.KerasTensor, classes: int) -> keras.KerasTensor:
        """Average over height and width, then `logits`."""
        return self.logits(keras.layers.GlobalAveragePooling2D(name="pool")(x), classes)

    def seed_of(self, name: str) -> int:
        """Return the seed of a layer's initial weights."""
        # crc32 and not hash(): the latter differs from process to process.
        return zlib.crc32(f"{self.seed}/{name}".encode())


def _pad(
    x: keras.KerasTensor, kernel_size: int, strides: int, border: int | None, name: str
) -> tuple[keras.KerasTensor, str]:
    """Return `x`, padded where the convolution cannot, and the convolution's own padding."""
    if border is None:
        border = kernel_size // 2
    if strides == 1 and border == kernel_size // 2:
        return x, "same"
    if border == 0:
        return x, "valid"
    return keras.layers.ZeroPadding2D(border, name=f"{name}_pad")(x), "valid"
