"""Layers that apply another layer."""

import keras
import numpy as np

from tfelastic.graph.layer_call import LayerCall, NoRule, Tensor
from tfelastic.graph.rule_registry import find_rule, rule
from tfelastic.graph.structure import Spec


@rule(keras.layers.TimeDistributed)
def time_distributed(call: LayerCall) -> np.ndarray:
    """The wrapped layer's rule, at every moment."""
    inner, x, spec = call.layer.layer, call.inputs[0], call.outputs[0]
    if isinstance(inner, keras.Model):
        raise NoRule(
            "it repeats a whole model; wrap each of the model's layers in a TimeDistributed of its own"
        )
    if x.labels.shape[0] > 1 or len(call.outputs) > 1:
        raise NoRule("its channels lie along the axis of time, or it returns several tensors")
    moment = Tensor(x.index, (x.shape[0], *x.shape[2:]), x.dtype, x.labels[0])
    inside = call.wrapped(
        inner,
        "layer",
        (moment,),
        outputs=[Spec((spec.shape[0], *spec.shape[2:]), spec.dtype)],
        repeats=x.shape[1],
    )
    labels = find_rule(inner)(inside)
    if inside.reduced_inputs:
        call.reduces()
    if isinstance(labels, list):
        (labels,) = labels
    return labels[np.newaxis]
