"""A crash of TensorFlow's oneDNN kernels in training, and a way around it.

oneDNN's float32 gradient of the kernel of a strided 1x1 convolution writes beyond its buffer where fewer than 16
channels come in (of a transposed one: go out): on a CPU with AVX-512, TensorFlow 2.21 ends with a segmentation fault or
a corrupted heap on images of 56 pixels and more, and on long sequences. Narrow rungs have such convolutions in the
shortcuts of residual blocks. The same values come from a 1x1 convolution without strides, whose gradient is right, on
every second pixel; or, transposed, on an image with zeros between the pixels.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
from keras import ops

#: From this many channels on oneDNN's gradient stays within its buffer.
SAFE_CHANNELS = 16

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)


@contextmanager
def avoid_onednn_crash(model: keras.Model) -> Iterator[None]:
    """Let a model's strided 1x1 convolutions of few channels do without strides, while it is traced or trained.

    It acts on TensorFlow alone and leaves the model as it was. `ElasticModel`, `prune_and_grow`, `Student` and
    `FineTuning` use it by themselves; a pruned net that is trained by its own `fit` needs it, or
    `TF_ENABLE_ONEDNN_OPTS=0` in the environment, which slows all convolutions down.

    Args:
        model: The model to train.

    Examples:
        >>> import keras, numpy as np, tfelastic as te
        >>> model = keras.Sequential([keras.Input((64, 64, 8)), keras.layers.Conv2D(4, 1, strides=2)])
        >>> model.compile("sgd", "mse")
        >>> with te.training.avoid_onednn_crash(model):
        ...     _ = model.fit(np.zeros((1, 64, 64, 8)), np.zeros((1, 32, 32, 4)), verbose=0)
    """
    replaced = list(_endangered(model)) if keras.backend.backend() == "tensorflow" else []
    strides = [layer.strides for layer in replaced]
    for layer in replaced:
        call = _call_spread if isinstance(layer, _TRANSPOSED) else _call_subsampled
        layer.call = partial(call, layer, layer.strides)
        layer.strides = (1,) * len(layer.strides)
    try:
        yield
    finally:
        for layer, original in zip(replaced, strides, strict=True):
            layer.strides = original
            del layer.call


def _endangered(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model._flatten_layers():  # Layers within other layers too.
        if (
            _is_convolution(layer)
            and set(layer.kernel_size) == {1}
            and set(layer.strides) != {1}
            and getattr(layer, "output_padding", None) is None
            and layer.data_format == "channels_last"
            and layer.compute_dtype == "float32"
            and layer.built
            and layer.kernel.shape[-2] < SAFE_CHANNELS
            and "call" not in vars(layer)
        ):
            yield layer


def _is_convolution(layer: keras.layers.Layer) -> bool:
    """Whether a layer computes what Keras' convolutions do; a subclass may, by another name."""
    return any(
        isinstance(layer, kind) and type(layer).call is kind.call
        for kind in (*_CONVOLUTIONS, *_TRANSPOSED)
    )


def _call_subsampled(layer: keras.layers.Layer, strides: tuple[int, ...], inputs: Any) -> Any:
    """Return what the strided layer returns, whatever its padding: with a kernel of 1 there is none."""
    kept = (slice(None), *(slice(None, None, stride) for stride in strides))
    return type(layer).call(layer, inputs[kept])


def _call_spread(layer: keras.layers.Layer, strides: tuple[int, ...], inputs: Any) -> Any:
    """Return what the strided transposed layer returns: each pixel's values, the bias alone between the pixels."""
    x = inputs
    for axis, stride in enumerate(strides, start=1):
        x = ops.expand_dims(x, axis + 1)
        widths = [(0, 0)] * len(x.shape)
        widths[axis + 1] = (0, stride - 1)
        x = ops.pad(x, widths)
        lengths = ops.shape(x)
        x = ops.reshape(x, (*lengths[:axis], lengths[axis] * stride, *lengths[axis + 2 :]))
    return type(layer).call(layer, x)
