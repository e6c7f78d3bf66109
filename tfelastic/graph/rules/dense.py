"""The fully connected layer."""

import keras
import numpy as np

from tfelastic.graph.rulebook import rule
from tfelastic.graph.rules.convolution import multiplied, positions
from tfelastic.graph.rules.elementwise import activate
from tfelastic.graph.site import Site


@rule(keras.layers.Dense)
def dense(site: Site) -> np.ndarray:
    """Kernel `[inputs, units]` along the last axis, at every position of the axes between."""
    layer, x = site.layer, site.inputs[0]
    kernel = multiplied(site, "kernel", positions(site.outputs[0].shape, len(x.shape) - 1))
    site.bind(kernel, 0, site.channels_of(x, -1))
    outputs = site.creates(kernel, 1)
    if layer.use_bias:
        site.bind(layer.bias, 0, outputs, role="shift")
    site.resizes("units", outputs)
    site.mixes()
    return activate(site, site.along(outputs, -1), layer.activation)
