"""U-Net, small: a class for every pixel.

Ronneberger, Fischer, Brox: U-Net, MICCAI 2015 (arXiv 1505.04597). Unlike there, convolutions keep the size and have
BatchNorm, and the way up resizes to the nearest pixel, which TFLite and TFLM run as one operation.
"""

import keras

from tfelastic.errors import GraphError
from tfelastic.zoo.base import register
from tfelastic.zoo.parts import Parts


@register("unet")
def unet(
    images: keras.KerasTensor, classes: int, parts: Parts, *, filters: int = 16, levels: int = 3
) -> keras.KerasTensor:
    """Return logits `[batch, height, width, classes]`.

    Args:
        images: Pre-processed images `[batch, height, width, channels]`; height and width are multiples of
            2^(levels - 1).
        classes: How many logits per pixel.
        parts: Makes the layers.
        filters: Channels of the first level; each level below has twice as many.
        levels: How many sizes there are.
    """
    step = 2 ** (levels - 1)
    if any(side % step for side in images.shape[1:3]):
        raise GraphError(
            f"a U-Net of {levels} levels takes images whose sides are multiples of {step}, got {images.shape[1:3]}"
        )
    x, skips = images, []
    for level in range(levels):
        x = _double(x, filters * 2**level, parts, name=f"down{level + 1}")
        if level < levels - 1:
            skips.append(x)
            x = parts.max_pool(x, 2, name=f"down{level + 1}_pool")
    for level, skip in reversed(list(enumerate(skips))):
        # UpSampling2D to the nearest pixel becomes TILE, which TFLM does not have.
        x = keras.layers.Resizing(
            *skip.shape[1:3], interpolation="nearest", name=f"up{level + 1}_resize"
        )(x)
        x = keras.layers.Concatenate(name=f"up{level + 1}_concatenate")([skip, x])
        x = _double(x, filters * 2**level, parts, name=f"up{level + 1}")
    return parts.conv(x, classes, 1, use_bias=True, name="logits")


def _double(x: keras.KerasTensor, filters: int, parts: Parts, *, name: str) -> keras.KerasTensor:
    x = parts.conv_bn_relu(x, filters, 3, name=f"{name}_conv1")
    return parts.conv_bn_relu(x, filters, 3, name=f"{name}_conv2")
