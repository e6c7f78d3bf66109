"""The fully connected layer."""

import keras
import numpy as np

from tfelastic.graph.layer_call import LayerCall
from tfelastic.graph.rule_registry import rule
from tfelastic.graph.rules.convolution import multiplied, positions
from tfelastic.graph.rules.elementwise import activate


@rule(keras.layers.Dense)
def dense(call: LayerCall) -> np.ndarray:
    """Kernel `[inputs, units]` along the last axis, at every position of the axes between."""
    layer, x = call.layer, call.inputs[0]
    kernel = multiplied(call, "kernel", positions(call.outputs[0].shape, len(x.shape) - 1))
    call.bind(kernel, 0, call.channels_of(x, -1))
    outputs = call.creates(kernel, 1)
    if layer.use_bias:
        call.bind(layer.bias, 0, outputs, role="shift")
    call.resizes("units", outputs)
    call.reduces()
    return activate(call, call.along(outputs, -1), layer.activation)
