"""Random weights."""

from math import prod, sqrt

import keras
import numpy as np

_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


def randomize(model: keras.Model, *, seed: int = 0, alive: bool = False) -> keras.Model:
    """Give every weight of `model`, an elastic one or not, a random value, and return the model.

    Fresh weights hide mistakes: with scales of one, shifts of zero and layer scales of a millionth, many wrong
    channels look right. Kernels keep the variance of a signal through rectifiers (He et al., ICCV 2015), scales
    have either sign, and shifts are mostly positive, so that few channels are dead.

    With `alive` the scales are positive, the shifts larger and the means around zero, so that hardly a channel is
    dead behind the rectifiers of a deep model, where nobody would see that it is wrong.
    """
    rng = np.random.default_rng(seed)
    depthwise = {
        id(layer.kernel) for layer in model._flatten_layers() if isinstance(layer, _DEPTHWISE)
    }
    for variable in model.weights:
        shape, name = variable.shape, variable.path.split("/")[-1]
        if name.endswith(("variance", "factor")):
            value = rng.uniform(0.5, 2.0, shape)
        elif name.endswith("gamma"):
            value = rng.uniform(0.5, 1.5, shape)
            if not alive:
                value *= rng.choice([-1.0, 1.0], shape)
        elif len(shape) > 1:
            # A depthwise kernel, `[height, width, channels, multiplier]`, sums over its window alone.
            alone = id(variable) in depthwise or "depthwise" in variable.path
            summed = shape[:-2] if alone else shape[:-1]
            value = rng.normal(0, sqrt(2 / prod(summed)), shape)
        elif alive:
            value = rng.normal(0.0 if name.endswith("mean") else 0.3, 0.3, shape)
        else:
            value = rng.normal(0.2, 0.3, shape)
        if "float" in str(variable.dtype):  # The states of random layers are integers.
            variable.assign(value)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # It computes with constants that it derives from its weights.
    return model
