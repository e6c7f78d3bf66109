"""Networks of the papers and of the examples, as plain functional Keras models with the pre-processing inside.

`build(name, input_shape=..., classes=...)` gives a fresh network, raw pixels or measured values in and logits out. The
layers are named by their place ("stage2_block1_conv1") and export to TFLite's builtin operations.
Nothing in the library depends on the zoo: the algorithms take any functional model.
"""

# Each module files its networks in the registry.
from tfelastic.zoo import (  # noqa: F401
    alexnet,
    mobilenet,
    resnet_cifar,
    resnet_imagenet,
    sensors,
    unet,
    vgg,
)
from tfelastic.zoo.base import build, names
from tfelastic.zoo.pretrained import load_resnet_cifar

__all__ = ["build", "load_resnet_cifar", "names"]
