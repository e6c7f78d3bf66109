"""VGG-16, for 224x224 and for 32x32 images.

Simonyan, Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015
(arXiv 1409.1556), configuration D.
"""

import keras

from tfelastic.zoo.base import register
from tfelastic.zoo.parts import Parts

# (channels, convolutions) of each stage.
_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


@register("vgg16")
def vgg16(
    images: keras.KerasTensor, classes: int, parts: Parts, *, dropout: float = 0.5
) -> keras.KerasTensor:
    """Return the logits of VGG-16: 138,357,544 parameters at 224x224 and 1,000 classes.

    There is no BatchNorm.

    Args:
        images: Pre-processed images `[batch, height, width, channels]`, at least 32x32.
        classes: How many logits.
        parts: Makes the layers.
        dropout: Share of the features dropped after each hidden dense layer, in training.
    """
    x = images
    for stage, (channels, convolutions) in enumerate(_STAGES, start=1):
        for index in range(1, convolutions + 1):
            name = f"stage{stage}_conv{index}"
            x = parts.conv(x, channels, 3, use_bias=True, name=name)
            x = parts.relu(x, name=f"{name}_relu")
        x = parts.max_pool(x, 2, name=f"stage{stage}_pool")
    x = keras.layers.Flatten(name="flatten")(x)
    for index in (1, 2):
        x = parts.dense(x, 4096, name=f"dense{index}")
        x = parts.relu(x, name=f"dense{index}_relu")
        x = parts.dropout(x, dropout, name=f"dense{index}_dropout")
    return parts.logits(x, classes)


@register("vgg16_cifar")
def vgg16_cifar(images: keras.KerasTensor, classes: int, parts: Parts) -> keras.KerasTensor:
    """Return the logits of the VGG-16-BN that the pruning literature uses on CIFAR.

    As in Li, Kadav, Durdanovic, Samet, Graf: Pruning Filters for Efficient ConvNets, ICLR 2017
    (arXiv 1608.08710), table 1: thirteen convolutions without biases and one hidden dense layer of
    512, each with BatchNorm. 14,987,722 trainable parameters at ten classes (the paper rounds to
    1.5e7, later ones to 14.98 M).

    Args:
        images: Pre-processed images `[batch, height, width, channels]`, at least 16x16.
        classes: How many logits.
        parts: Makes the layers.
    """
    x = images
    for stage, (channels, convolutions) in enumerate(_STAGES, start=1):
        for index in range(1, convolutions + 1):
            x = parts.conv_bn_relu(x, channels, 3, name=f"stage{stage}_conv{index}")
        if stage < len(_STAGES):
            x = parts.max_pool(x, 2, name=f"stage{stage}_pool")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = parts.dense(x, 512, name="dense1")
    x = parts.batch_norm(x, name="dense1_bn")
    x = parts.relu(x, name="dense1_relu")
    return parts.logits(x, classes)
