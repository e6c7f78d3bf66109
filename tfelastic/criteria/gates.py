"""Gradients of a loss with respect to gates on a model's units.

A gate multiplies its unit wherever the unit is summed into other channels: 1 leaves the model as it is, 0 drops the
unit exactly as surgery does. The derivative at 1 is therefore the change of the loss that first-order pruning
criteria want, for all coupled layers at once and with no term counted twice.

Keras has no gradient function that works on every backend. What works on all is a training step: the model's
weights are copied into a model of our own in which the gates alone can be trained, and one step of plain gradient
descent of size 1 from zero leaves minus the gradient in them.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from tfelastic.criteria.samples import Samples
from tfelastic.criteria.units import Units, readers
from tfelastic.errors import CriterionError
from tfelastic.graph import LayerGraph


def gate_gradients(graph: LayerGraph, samples: Samples, *, loss: Any) -> Iterator[np.ndarray]:
    """Yield the loss's derivatives with respect to the units' gates, `[units]`, for each full batch.

    The model runs as in inference: BatchNorm uses its running statistics, Dropout does nothing.

    Args:
        graph: The traced model.
        samples: Images with labels.
        loss: Any loss that `keras.Model.compile` takes; `None` for the cross entropy that suits the model's ending.

    Returns:
        One array per batch; NaN for a unit that no kernel reads.

    Raises:
        CriterionError: There is no suitable loss, or the loss is not finite.
    """
    units = Units(graph)
    model = _Gated(graph, units)
    unread = np.isnan(units.mean((b.labels, np.zeros(len(b.labels))) for b in readers(graph)))
    for images, labels in samples.batches(drop_remainder=True):
        if not model.compiled:
            # XLA would take longer to compile than these few steps take to run; JAX has no other way.
            model.compile(
                optimizer=keras.optimizers.SGD(1.0),
                loss=_cross_entropy(graph, labels) if loss is None else loss,
                jit_compile=keras.config.backend() == "jax",
                auto_scale_loss=False,
            )
        model.gates.assign(np.zeros(units.count + 1))
        model.train_on_batch(images, labels)
        gradient = -ops.convert_to_numpy(model.gates).astype(np.float64)[:-1]
        if not np.isfinite(gradient).all():
            raise CriterionError(
                f"the loss of model {graph.model.name!r} has gradients that are not finite; check that its weights "
                "are finite, that the images are preprocessed as in training and that the labels suit the loss"
            )
        gradient[unread] = np.nan
        yield gradient


class _Gated(keras.Model):
    """A copy of a model's weights, run by the model's own code, with a gate of `1 + gates[unit]` on every unit."""

    def __init__(self, graph: LayerGraph, units: Units) -> None:
        super().__init__(name="gated", autocast=False)
        self._graph = graph
        self._reads = [(id(b.variable), b.axis, units.at(b.labels)) for b in readers(graph)]
        kinds = {"float32", *(b.variable.dtype for b in readers(graph))}
        self.gates = keras.Variable(
            np.zeros(units.count + 1), dtype=keras.backend.result_type(*kinds), name="gates"
        )
        trained, state = graph.model.trainable_variables, graph.model.non_trainable_variables
        self._sources = [id(variable) for variable in (*trained, *state)]
        self._trained_count = len(trained)
        self._copies = [
            keras.Variable(ops.convert_to_numpy(v), dtype=v.dtype, trainable=False, name=v.name)
            for v in (*trained, *state)
        ]
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the model's outputs as in inference, whatever `training` says."""
        del training
        values = dict(zip(self._sources, (copy.value for copy in self._copies), strict=True))
        for key, axis, units in self._reads:
            shape = [1] * len(values[key].shape)
            shape[axis] = -1
            gate = ops.reshape(1 + ops.take(self.gates, units), shape)
            values[key] = values[key] * ops.cast(gate, values[key].dtype)
        ordered = list(values.values())
        trained, state = ordered[: self._trained_count], ordered[self._trained_count :]
        return self._graph.model.stateless_call(trained, state, inputs, training=False)[0]


def _cross_entropy(graph: LayerGraph, labels: Any) -> keras.losses.Loss:
    """Return the cross entropy for a model that ends in class scores or a softmax."""
    output = graph.outputs[0]
    last = next((step.op for step in reversed(graph.steps) if output in step.outputs), None)
    activation = getattr(getattr(last, "activation", None), "__name__", "linear")
    softmax = activation == "softmax" or type(last).__name__ == "Softmax"
    classes = output.shape[-1]
    if len(graph.outputs) > 1 or classes in (None, 1) or not (softmax or activation == "linear"):
        raise CriterionError(
            f"model {graph.model.name!r} does not end in the scores or probabilities of several classes, so there "
            "is no loss that suits it by itself; pass loss=..., as for keras.Model.compile"
        )
    one_hot = np.shape(labels)[1:] == tuple(output.shape[1:])
    kind = (
        keras.losses.CategoricalCrossentropy
        if one_hot
        else keras.losses.SparseCategoricalCrossentropy
    )
    return kind(from_logits=not softmax, dtype=keras.backend.result_type(output.dtype, "float32"))
