"""Recurrent layers: their units read the sequence and, one moment later, each other."""

import keras
import numpy as np

from tfelastic.graph.layer_call import LayerCall, NoRule, Tensor
from tfelastic.graph.rule_registry import find_rule, rule
from tfelastic.graph.rules.elementwise import activate
from tfelastic.graph.structure import Spec

layers = keras.layers

_CELLS = (layers.SimpleRNNCell, layers.GRUCell, layers.LSTMCell)


@rule(layers.SimpleRNN, layers.GRU, layers.LSTM)
def recurrent(call: LayerCall) -> list[np.ndarray]:
    """Kernel `[inputs, gates * units]`, recurrent kernel `[units, gates * units]`: a unit goes with its gates."""
    layer, x = call.layer, call.inputs[0]
    cell = layer.cell
    if type(cell) not in _CELLS:
        raise NoRule(f"its cell {type(cell).__name__} is not one of Keras' own")
    for kernel in (cell.kernel, cell.recurrent_kernel):
        call.multiplies(kernel, x.shape[1])
    if layer.stateful:
        raise NoRule("it is stateful: its state outlives the call")
    call.bind(cell.kernel, 0, call.channels_of(x, -1))
    gates = call.creates(cell.kernel, 1)
    call.tie(gates, call.creates(cell.recurrent_kernel, 1))
    by_gate = gates.reshape(-1, cell.units)
    call.tie(by_gate, by_gate[:1])
    units = call.bind(cell.recurrent_kernel, 0, by_gate[0])
    if cell.use_bias:
        call.bind(cell.bias, -1, gates, role="shift")
    for state in _states(call):
        call.tie(call.channels_of(state, -1), units)
    for name in ("activation", "recurrent_activation"):
        _activate(call, units, getattr(cell, name, None))
    call.resizes("units", units)
    call.reduces()
    return [call.along(units, -1, output=position) for position in range(len(call.outputs))]


def _states(call: LayerCall) -> list[Tensor]:
    """Return the states that the layer begins with; a mask, the third tensor that it may take, has no channels."""
    given = keras.tree.flatten(call.argument("initial_state"))
    return [state for state in given if isinstance(state, Tensor)]


def _activate(call: LayerCall, units: np.ndarray, activation: object) -> None:
    """Freeze the units where an activation within the cell looks across them.

    Raises:
        NoRule: The activation is a layer, or moves values from one unit to another.
    """
    if isinstance(activation, keras.Layer):
        raise NoRule("an activation of its cell is a layer")
    labels = call.along(units, -1)
    if not np.array_equal(activate(call, labels, activation), labels):
        raise NoRule("an activation of its cell moves values from one unit to another")


@rule(layers.Bidirectional)
def bidirectional(call: LayerCall) -> list[np.ndarray]:
    """Two recurrent layers over one sequence; Keras counts on as many units in the one as in the other."""
    layer, x, states = call.layer, call.inputs[0], _states(call)
    half, number = len(states) // 2, 2 if layer.merge_mode is None else 1
    returned = (len(call.outputs) - number) // 2
    one, other = (
        _direction(call, name, (x, given), returned)
        for name, given in (
            ("forward_layer", states[:half]),
            ("backward_layer", states[half:]),
        )
    )
    if one[0].shape != other[0].shape:
        raise NoRule("its two layers have different numbers of units")
    call.tie(one[0], other[0])
    call.reduces()
    merged = {"concat": [np.concatenate([one[0], other[0]], axis=-1)], None: [one[0], other[0]]}
    return [*merged.get(layer.merge_mode, [one[0]]), *one[1:], *other[1:]]


def _direction(
    call: LayerCall, name: str, args: tuple[Tensor, list[Tensor]], states: int
) -> list[np.ndarray]:
    """Return the labels of the sequence and the states that one of the two layers returns."""
    inner, (batch, length, _), dtype = getattr(call.layer, name), args[0].shape, args[0].dtype
    if not isinstance(inner, layers.SimpleRNN | layers.GRU | layers.LSTM):
        raise NoRule(f"it wraps a {type(inner).__name__}")
    state = Spec((batch, inner.units), dtype)
    first = Spec((batch, length, inner.units), dtype) if inner.return_sequences else state
    field = "layer" if name == "forward_layer" else name
    inside = call.wrapped(inner, field, args, outputs=[first, *[state] * states])
    labels = find_rule(inner)(inside)
    return labels if isinstance(labels, list) else [labels]
