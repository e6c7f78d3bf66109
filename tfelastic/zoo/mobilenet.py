"""MobileNetV2: inverted residuals with linear bottlenecks.

Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2, CVPR 2018 (arXiv 1801.04381), table 2. 3,538,984
parameters at 1,000 classes, the statistics of BatchNorm included.
"""

import functools

import keras

from tfelastic.zoo.base import register
from tfelastic.zoo.parts import Parts

# (expansion, channels, blocks) of each stage: t, c and n of the paper's table 2.
_STAGES = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))
_STEM = 32
_HEAD = 1280

# Of the stem, then of each stage. For 32x32 images the stem and the second stage keep the size, as
# is usual there.
_STRIDES = (2, 1, 2, 2, 2, 1, 2, 1)
_CIFAR_STRIDES = (1, 1, 1, 2, 2, 1, 2, 1)


def mobilenet_v2(
    strides: tuple[int, ...], images: keras.KerasTensor, classes: int, parts: Parts
) -> keras.KerasTensor:
    """Return the logits of MobileNetV2 (Sandler et al.): 3,538,984 parameters at 1,000 classes.

    Args:
        strides: Of the stem, then of the first block of each stage.
        images: Pre-processed images `[batch, height, width, channels]`.
        classes: How many logits.
        parts: Makes the layers.
    """
    x = parts.conv_bn(images, _STEM, 3, strides=strides[0], name="stem")
    x = parts.relu(x, max_value=6, name="stem_relu")
    for stage, (expansion, channels, blocks) in enumerate(_STAGES, start=1):
        for block in range(1, blocks + 1):
            stride = strides[stage] if block == 1 else 1
            name = f"stage{stage}_block{block}"
            x = _block(x, channels, parts, expansion=expansion, strides=stride, name=name)
    x = parts.conv_bn(x, _HEAD, 1, name="head")
    x = parts.relu(x, max_value=6, name="head_relu")
    return parts.pooled_logits(x, classes)


def _block(
    x: keras.KerasTensor, channels: int, parts: Parts, *, expansion: int, strides: int, name: str
) -> keras.KerasTensor:
    inputs = x
    if expansion > 1:
        x = parts.conv_bn(x, expansion * x.shape[-1], 1, name=f"{name}_expand")
        x = parts.relu(x, max_value=6, name=f"{name}_expand_relu")
    x = parts.depthwise(x, strides=strides, name=f"{name}_depthwise")
    x = parts.batch_norm(x, name=f"{name}_depthwise_bn")
    x = parts.relu(x, max_value=6, name=f"{name}_depthwise_relu")
    x = parts.conv_bn(x, channels, 1, name=f"{name}_project")
    if strides == 1 and inputs.shape[-1] == channels:
        x = keras.layers.Add(name=f"{name}_add")([x, inputs])
    return x


register("mobilenet_v2")(functools.partial(mobilenet_v2, _STRIDES))
register("mobilenet_v2_cifar")(functools.partial(mobilenet_v2, _CIFAR_STRIDES))
