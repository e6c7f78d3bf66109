"""The residual networks for 32x32 images.

He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016 (arXiv 1512.03385),
section 4.2. Three stages of 16, 32 and 64 channels, n basic blocks each, depth 6n + 2. For RGB
images and ten classes:

| network | n | trainable parameters, shortcut A | shortcut B |
|---|---|---|---|
| resnet8 | 1 | 75,290 | 78,042 |
| resnet20 | 3 | 269,722 | 272,474 |
| resnet32 | 5 | 464,154 | 466,906 |
| resnet44 | 7 | 658,586 | 661,338 |
| resnet56 | 9 | 853,018 | 855,770 |
| resnet110 | 18 | 1,727,962 | 1,730,714 |

resnet8 is the same recipe below the paper's smallest, for microcontrollers and quick runs.
"""

import functools
from typing import Literal

import keras
import numpy as np

from tfelastic.errors import GraphError
from tfelastic.zoo.base import register
from tfelastic.zoo.parts import Parts

_STAGES = (16, 32, 64)


def resnet_cifar(
    blocks_per_stage: int,
    images: keras.KerasTensor,
    classes: int,
    parts: Parts,
    *,
    shortcut: Literal["A", "B"] = "A",
) -> keras.KerasTensor:
    """Return the logits of the residual network with 6 * `blocks_per_stage` + 2 weighted layers.

    Args:
        blocks_per_stage: The n of the paper.
        images: Pre-processed images `[batch, height, width, channels]`.
        classes: How many logits.
        parts: Makes the layers.
        shortcut: How the input of a stage reaches its output. "A" sub-samples it and pads with zero
            channels, as the paper's CIFAR networks do; "B" is a trained 1x1 convolution with
            BatchNorm.

    Raises:
        GraphError: The shortcut is neither "A" nor "B".
    """
    if shortcut not in ("A", "B"):
        raise GraphError(
            f"shortcut must be 'A' (zero-padded) or 'B' (convolution), got {shortcut!r}"
        )
    x = parts.conv_bn_relu(images, _STAGES[0], 3, name="stem")
    for stage, filters in enumerate(_STAGES, start=1):
        for block in range(1, blocks_per_stage + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            name = f"stage{stage}_block{block}"
            x = _basic_block(x, filters, parts, strides=strides, shortcut=shortcut, name=name)
    return parts.pooled_logits(x, classes)


def _basic_block(
    x: keras.KerasTensor, filters: int, parts: Parts, *, strides: int, shortcut: str, name: str
) -> keras.KerasTensor:
    residual = parts.conv_bn_relu(x, filters, 3, strides=strides, name=f"{name}_conv1")
    residual = parts.conv_bn(residual, filters, 3, name=f"{name}_conv2")
    if strides > 1 and shortcut == "A":
        x = _zero_padded_shortcut(x, filters, strides=strides, name=f"{name}_shortcut")
    elif strides > 1:
        x = parts.conv_bn(x, filters, 1, strides=strides, name=f"{name}_shortcut")
    x = keras.layers.Add(name=f"{name}_add")([residual, x])
    return parts.relu(x, name=f"{name}_relu")


def _zero_padded_shortcut(
    x: keras.KerasTensor, filters: int, *, strides: int, name: str
) -> keras.KerasTensor:
    """Sub-sample `x` and put its channels in the middle of `filters`, the rest zero.

    A frozen 1x1 convolution with a one-hot kernel computes exactly this. Written as slicing and
    padding, channel j of one stage would be tied to channel j + filters / 4 of the next; as a
    kernel, each side may be re-ordered.
    """
    channels = x.shape[-1]
    layer = keras.layers.Conv2D(
        filters,
        1,
        strides=strides,
        use_bias=False,
        kernel_initializer="zeros",
        trainable=False,
        name=name,
    )
    shortcut = layer(x)
    start = (filters - channels) // 2
    kernel = np.eye(channels, filters, k=start, dtype="float32")
    layer.kernel.assign(kernel[np.newaxis, np.newaxis])
    return shortcut


for _n in (1, 3, 5, 7, 9, 18):
    register(f"resnet{6 * _n + 2}")(functools.partial(resnet_cifar, _n))
