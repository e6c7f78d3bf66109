"""Networks of the papers, as plain functional Keras models with the pre-processing inside.

`build(name, input_shape=..., classes=...)` gives a fresh network, raw pixels in and logits out. The
layers are named by their place ("stage2_block1_conv1") and export to TFLite's builtin operations.
Nothing in the library depends on the zoo: the algorithms take any functional model.
"""

from tfelastic.zoo import resnet_cifar as _resnet_cifar  # noqa: F401 - fills the registry
from tfelastic.zoo.base import build, names
from tfelastic.zoo.pretrained import load_resnet_cifar

__all__ = ["build", "load_resnet_cifar", "names"]
