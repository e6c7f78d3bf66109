"""Attention over several heads."""

import keras
import numpy as np

from tfelastic.graph.layer_call import LayerCall, NoRule, Tensor
from tfelastic.graph.rule_registry import rule
from tfelastic.graph.rules.convolution import multiplied, positions


@rule(keras.layers.MultiHeadAttention)
def multi_head_attention(call: LayerCall) -> list[np.ndarray]:
    """Heads, the values within each head and the outputs can be dropped.

    Kernels of query and key `[channels, heads, keys]`, of value `[channels, heads, values]`, of the output
    `[heads, values, outputs]`. The number of keys stays: the scores of all that remain are divided by its root.
    """
    query, key, value, others = _arguments(call)
    layer = call.layer
    into_query = _kernel(call, layer.query_dense, query)
    out = _kernel(call, layer.output_dense, query)
    into_key = _kernel(call, layer.key_dense, key)
    into_value = _kernel(call, layer.value_dense, value)
    gate = [_kernel(call, layer._gate_dense, query)] if layer._use_gate else []
    if len(out.shape) != 3:
        raise NoRule("its output has several axes of channels")
    heads, values = call.creates(into_query, 1), call.creates(into_value, 2)
    for kernel in (into_key, into_value, *gate):
        call.tie(heads, call.creates(kernel, 1))
    for kernel in gate:
        call.tie(values, call.creates(kernel, 2))
    call.bind(out, 0, heads)
    call.bind(out, 1, values)
    outputs = call.creates(out, 2)
    for kernel, tensor in [(into_query, query), (into_key, key), (into_value, value)]:
        call.bind(kernel, 0, call.channels_of(tensor, -1))
    for kernel in gate:
        call.bind(kernel, 0, call.channels_of(query, -1))
    if layer.use_bias:
        _bind_biases(call, heads, values, outputs)
    for tensor in others:
        call.freeze(tensor.labels, "masks its scores with them")
    for position, tensor in enumerate(call.inputs):
        if not any(tensor is each for each in others):
            call.reduces(position)
    call.resizes("num_heads", heads)
    call.resizes("value_dim", values)
    call.resizes("output_shape", outputs)
    labels = [call.along(outputs, -1)]
    if len(call.outputs) > 1:
        labels.append(call.along(heads, 1, output=1))
    return labels


def _arguments(call: LayerCall) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    """Return query, key and value, and the masks.

    Raises:
        NoRule: One of the three is a constant.
    """
    query, value, key = map(call.argument, ("query", "value", "key"))
    key = value if key is None else key
    if not (isinstance(query, Tensor) and isinstance(key, Tensor) and isinstance(value, Tensor)):
        raise NoRule("its query, key or value is a constant")
    used = (query, key, value)
    return *used, [each for each in call.inputs if not any(each is one for one in used)]


def _kernel(call: LayerCall, dense: keras.Layer, tensor: Tensor) -> keras.Variable:
    """Return the kernel of a projection, which is multiplied once for each position of `tensor`."""
    return multiplied(call, "kernel", positions(tensor.shape, len(tensor.shape) - 1), layer=dense)


def _bind_biases(
    call: LayerCall, heads: np.ndarray, values: np.ndarray, outputs: np.ndarray
) -> None:
    layer = call.layer
    for dense in (layer.query_dense, layer.key_dense):
        call.bind(dense.bias, 0, heads, role="shift")
    for dense in (layer.value_dense, *([layer._gate_dense] if layer._use_gate else [])):
        call.bind(dense.bias, 0, heads, role="shift")
        call.bind(dense.bias, 1, values, role="shift")
    call.bind(layer.output_dense.bias, 0, outputs, role="shift")
