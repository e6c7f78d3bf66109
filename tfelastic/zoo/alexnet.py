"""AlexNet, for 224x224 and for 32x32 images.

Krizhevsky: One weird trick for parallelizing convolutional neural networks, 2014 (arXiv 1404.5997):
the one-tower form of Krizhevsky, Sutskever, Hinton, NIPS 2012, without groups and without local
response normalisation.
"""

import keras

from tfelastic.zoo.base import register
from tfelastic.zoo.parts import Parts

# (channels, kernel size, whether a pooling follows) of the second to the fifth convolution.
_BODY = ((192, 5, True), (384, 3, False), (256, 3, False), (256, 3, True))
_CIFAR_HIDDEN = 1024


@register("alexnet")
def alexnet(
    images: keras.KerasTensor, classes: int, parts: Parts, *, dropout: float = 0.5
) -> keras.KerasTensor:
    """Return the logits of AlexNet: 61,100,840 parameters at 224x224 and 1,000 classes.

    There is no BatchNorm.

    That is the one-tower network of 2014 as torchvision counts it; the two-tower one of 2012 has
    about 60,965,000.

    Args:
        images: Pre-processed images `[batch, height, width, channels]`, at least 63x63.
        classes: How many logits.
        parts: Makes the layers.
        dropout: Share of the features dropped before each hidden dense layer, in training.
    """
    x = parts.conv(images, 64, 11, strides=4, border=2, use_bias=True, name="conv1")
    x = parts.relu(x, name="conv1_relu")
    x = parts.max_pool(x, 3, name="conv1_pool")
    for index, (channels, kernel_size, pooled) in enumerate(_BODY, start=2):
        x = parts.conv(x, channels, kernel_size, use_bias=True, name=f"conv{index}")
        x = parts.relu(x, name=f"conv{index}_relu")
        if pooled:
            x = parts.max_pool(x, 3, name=f"conv{index}_pool")
    x = keras.layers.Flatten(name="flatten")(x)
    for index in (1, 2):
        x = parts.dropout(x, dropout, name=f"dense{index}_dropout")
        x = parts.dense(x, 4096, name=f"dense{index}")
        x = parts.relu(x, name=f"dense{index}_relu")
    return parts.logits(x, classes)


@register("alexnet_cifar")
def alexnet_cifar(
    images: keras.KerasTensor, classes: int, parts: Parts, *, dropout: float = 0.5
) -> keras.KerasTensor:
    """Return the logits of an AlexNet for 32x32 images: 7,507,914 trainable parameters.

    AlexNet's channels with 3x3 kernels and a stride of one in the first convolution, BatchNorm
    after each convolution and two hidden dense layers of 1,024. There is no published standard at
    this size; this one is ours.

    Args:
        images: Pre-processed images `[batch, height, width, channels]`, at least 8x8.
        classes: How many logits.
        parts: Makes the layers.
        dropout: Share of the features dropped before each hidden dense layer, in training.
    """
    x = parts.conv_bn_relu(images, 64, 3, name="conv1")
    x = parts.max_pool(x, 2, name="conv1_pool")
    for index, (channels, _, pooled) in enumerate(_BODY, start=2):
        x = parts.conv_bn_relu(x, channels, 3, name=f"conv{index}")
        if pooled:
            x = parts.max_pool(x, 2, name=f"conv{index}_pool")
    x = keras.layers.Flatten(name="flatten")(x)
    for index in (1, 2):
        x = parts.dropout(x, dropout, name=f"dense{index}_dropout")
        x = parts.dense(x, _CIFAR_HIDDEN, name=f"dense{index}")
        x = parts.relu(x, name=f"dense{index}_relu")
    return parts.logits(x, classes)
