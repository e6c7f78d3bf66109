"""The residual network with bottleneck blocks for 224x224 images.

He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016 (arXiv 1512.03385),
section 4.1. ResNet-50 has 25,636,712 parameters at 1,000 classes, the statistics of BatchNorm
included: the count of `keras.applications`, whose convolutions have biases and whose stages stride
in the first 1x1 convolution, as in the paper.
"""

import keras

from tfelastic.zoo.base import register
from tfelastic.zoo.parts import Parts

# (channels inside the bottleneck, blocks) of each stage; a stage puts out four times those
# channels.
_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
_EXPANSION = 4


@register("resnet50")
def resnet50(images: keras.KerasTensor, classes: int, parts: Parts) -> keras.KerasTensor:
    """Return the logits of ResNet-50 (He et al. 2016): 25,636,712 parameters at 1,000 classes.

    Args:
        images: Pre-processed images `[batch, height, width, channels]`; any size from 32 on serves.
        classes: How many logits.
        parts: Makes the layers.
    """
    x = parts.conv_bn_relu(images, 64, 7, strides=2, use_bias=True, name="stem")
    x = keras.layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = parts.max_pool(x, 3, name="stem_pool")
    for stage, (channels, blocks) in enumerate(_STAGES, start=1):
        for block in range(1, blocks + 1):
            name = f"stage{stage}_block{block}"
            if block == 1:
                x = _block(
                    x, channels, parts, strides=1 if stage == 1 else 2, project=True, name=name
                )
            else:
                x = _block(x, channels, parts, strides=1, project=False, name=name)
    return parts.pooled_logits(x, classes)


def _block(
    x: keras.KerasTensor, channels: int, parts: Parts, *, strides: int, project: bool, name: str
) -> keras.KerasTensor:
    wide = _EXPANSION * channels
    residual = parts.conv_bn_relu(
        x, channels, 1, strides=strides, use_bias=True, name=f"{name}_conv1"
    )
    residual = parts.conv_bn_relu(residual, channels, 3, use_bias=True, name=f"{name}_conv2")
    residual = parts.conv_bn(residual, wide, 1, use_bias=True, name=f"{name}_conv3")
    if project:
        x = parts.conv_bn(x, wide, 1, strides=strides, use_bias=True, name=f"{name}_shortcut")
    x = keras.layers.Add(name=f"{name}_add")([residual, x])
    return parts.relu(x, name=f"{name}_relu")
