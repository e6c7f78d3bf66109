"""Distillation: a narrow network learns from a wide one's outputs."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import keras
from keras import ops

from tfelastic.errors import TrainingError
from tfelastic.graph import LayerGraph, Tensor

# What a model's output values are: unbounded scores, class probabilities, or anything else.
Ending = Literal["logits", "probabilities", "values"]


@dataclass(frozen=True)
class Distillation:
    """How narrower widths learn from the widest one.

    Source: Hinton et al., Distilling the Knowledge in a Neural Network, arXiv 1503.02531; in place, from the widest
    width of the same network, as in Yu and Huang, Universally Slimmable Networks, arXiv 1903.05134.

    Attributes:
        weight: The share of the loss that comes from the teacher's outputs; the rest comes from the labels.
        temperature: Both distributions are softened by it.
    """

    weight: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise TrainingError(
                f"the weight of a distillation lies between 0 and 1, received {self.weight}"
            )
        if self.temperature <= 0:
            raise TrainingError(
                f"the temperature of a distillation is positive, received {self.temperature}"
            )

    def loss(self, teacher: Any, student: Any, *, ending: Ending) -> Any:
        """Return how far the student's outputs are from the teacher's, a scalar; no gradient reaches the teacher.

        Args:
            teacher: Outputs `[batch, ..., classes]`.
            student: Outputs of the same shape.
            ending: What the outputs are. Class scores and probabilities are compared by the Kullback-Leibler
                divergence (times the squared temperature, which keeps gradients comparable), other values by
                their mean squared difference.
        """
        dtype = keras.config.floatx()  # As Keras' own losses, so that they add up.
        teacher, student = ops.stop_gradient(ops.cast(teacher, dtype)), ops.cast(student, dtype)
        if ending == "values":
            return ops.mean(ops.square(teacher - student))
        wanted = _log_distribution(teacher, ending, self.temperature)
        given = _log_distribution(student, ending, self.temperature)
        divergence = ops.sum(ops.exp(wanted) * (wanted - given), axis=-1)
        return ops.mean(divergence) * self.temperature**2


def endings_of(graph: LayerGraph) -> tuple[Ending, ...]:
    """Return what the values of each of a model's outputs are, inferred from the layer that makes them.

    A softmax makes probabilities, a dense layer of several units without activation makes logits, and all else are
    plain values.
    """
    return tuple(map(partial(_ending, graph), graph.outputs))


def _ending(graph: LayerGraph, output: Tensor) -> Ending:
    last = next((step for step in reversed(graph.steps) if output in step.outputs), None)
    if last is None:
        return "values"
    activation = getattr(last.op, "activation", None)
    name = getattr(activation, "__name__", "linear" if activation is None else "")
    if (
        isinstance(last.op, keras.layers.Softmax)
        or name == "softmax"
        or type(last.op).__name__ == "Softmax"
    ):
        return "probabilities"
    several = output.shape[-1] not in (None, 1)
    scores = name == "linear" and several and isinstance(last.op, keras.layers.Dense)
    return "logits" if scores else "values"


def _log_distribution(outputs: Any, ending: Ending, temperature: float) -> Any:
    logits = outputs if ending == "logits" else ops.log(ops.maximum(outputs, 1e-7))
    return ops.log_softmax(logits / temperature, axis=-1)
