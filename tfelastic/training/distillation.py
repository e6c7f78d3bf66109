"""Distillation: a narrow network learns from a wide one's outputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from tfelastic.errors import TrainingError
from tfelastic.graph import LayerGraph
from tfelastic.metrics import Ending, endings_of

# Probabilities are kept this far from 0 and 1, as Keras' losses do.
_EPSILON = 1e-7


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

    def loss(self, teacher: Any, student: Any, *, ending: Ending, sample_weight: Any = None) -> Any:
        """Return how far the student's outputs are from the teacher's, a scalar; no gradient reaches the teacher.

        It is computed in `keras.config.floatx()`, as Keras' own losses, whatever the outputs' precision.

        Args:
            teacher: Outputs `[batch, ..., units]`.
            student: Outputs of the same shape.
            ending: What the outputs are. Scores and probabilities of classes are compared by the Kullback-Leibler
                divergence of two distributions, those of yes-or-no questions by its mean over the questions (both
                times the squared temperature, which keeps gradients comparable), other values by their mean
                squared difference.
            sample_weight: Weights as of a Keras loss, `[batch]` or `[batch, ...]`: the differences are multiplied by
                them, then averaged over all positions.
        """
        dtype = keras.config.floatx()
        teacher, student = ops.stop_gradient(ops.cast(teacher, dtype)), ops.cast(student, dtype)
        if len(student.shape) == 1:
            teacher, student = teacher[:, None], student[:, None]
        differences = self._differences(teacher, student, ending)
        if sample_weight is not None:
            weights = ops.cast(sample_weight, dtype)
            differences = differences * _aligned(weights, len(differences.shape))
        return share_of_replica(ops.mean(differences))

    def _differences(self, teacher: Any, student: Any, ending: Ending) -> Any:
        """Return a difference for each position, `[batch, ...]`."""
        if ending == "values":
            return ops.mean(ops.square(teacher - student), axis=-1)
        if ending in ("logits", "probabilities"):
            wanted = _log_distribution(teacher, ending, self.temperature)
            given = _log_distribution(student, ending, self.temperature)
            divergence = ops.sum(ops.exp(wanted) * (wanted - given), axis=-1)
        else:
            wanted = _log_odds(teacher, ending) / self.temperature
            given = _log_odds(student, ending) / self.temperature
            divergence = ops.mean(_binary_divergence(wanted, given), axis=-1)
        return divergence * self.temperature**2


class _MeanOfReplicas(keras.losses.Loss):
    """Returns its second argument's mean as every Keras loss does: divided by the number of replicas."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        del y_true
        return y_pred


def share_of_replica(value: Any) -> Any:
    """Return what a replica adds to a loss of all replicas, a scalar, given the loss of its own examples.

    Under TensorFlow's `tf.distribute` the gradients of the replicas are added up, so each replica's loss is divided by
    their number. Keras' own losses do that; what is added to them has to, too. Elsewhere it is the value itself.
    """
    values = ops.reshape(value, (1,))
    # TensorFlow takes a loss' name for a scope, which may not begin as the name of this class does.
    return _MeanOfReplicas(name="mean_of_replicas", dtype=values.dtype)(values, values)


class DistillationLoss:
    """The loss of a network that learns from labels, from a teacher's outputs, or from both.

    Several outputs are compared one by one and added up under the compiled `loss_weights`. Class scores and
    probabilities are compared with the teacher's as distributions, other values by their squared difference; class
    scores count as plain values where their compiled loss is a regression. Sample and class weights weigh the
    teacher's part as they weigh the labels'. Losses that the layers add themselves (regularizers) are no part of it.

    Args:
        graph: The network's graph; what the outputs are follows from it.
        distillation: How much is learned from the teacher; `None` leaves the labels alone.
    """

    def __init__(self, graph: LayerGraph, distillation: Distillation | None) -> None:
        self.distillation = distillation
        self.output_names = output_names(graph)
        self._graph = graph
        self._endings: tuple[Ending, ...] = ()
        self._weights: tuple[float, ...] = ()
        self._labels: keras.Model | None = None
        self._built = False

    def compile(self, loss: Any, loss_weights: Any) -> None:
        """Take over the losses that the network was compiled with.

        Raises:
            TrainingError: Losses or weights do not belong to the outputs.
        """
        losses = self._per_output(loss, "losses")
        weights = self._per_output(loss_weights, "loss weights")
        self._weights = tuple(1.0 if weight is None else float(weight) for weight in weights)
        self._endings = endings_of(self._graph, losses)
        # A model without layers: its `compute_loss` is the labels' part alone, however often it is called.
        self._labels = _LabelsLoss(self.output_names)
        self._labels.compile(loss=loss, loss_weights=loss_weights)
        self._built = False

    def build_losses(self, y: Any, outputs: Any, sample_weight: Any) -> None:
        """Let Keras make the losses' own metrics, which it does at their first use, outside of any branch."""
        if self._labels is not None and not self._built:
            self._labels.compute_loss(None, y, outputs, sample_weight, True)
            self._built = True

    def compute(self, x: Any, y: Any, outputs: Any, teacher: Any, sample_weight: Any) -> Any:
        """Return the loss of `outputs`, a scalar.

        Args:
            x: What went into the network.
            y: The labels.
            outputs: What came out of the network.
            teacher: The teacher's outputs; not used where there is no distillation.
            sample_weight: The samples' weights, if any.
        """
        share = self.distillation.weight if self.distillation else 0.0
        parts = []
        if share > 0:
            parts.append(share * self._teacher_part(outputs, teacher, sample_weight))
        if share < 1:
            assert self._labels is not None
            parts.append(
                (1 - share) * self._labels.compute_loss(x, y, outputs, sample_weight, True)
            )
        return sum(parts[1:], parts[0])

    def _teacher_part(self, outputs: Any, teacher: Any, sample_weight: Any) -> Any:
        assert self.distillation is not None
        parts = [
            weight * self.distillation.loss(wanted, given, ending=ending, sample_weight=samples)
            for wanted, given, ending, weight, samples in zip(
                keras.tree.flatten(teacher),
                keras.tree.flatten(outputs),
                self._endings,
                self._weights,
                self._per_output(sample_weight, "sample weights"),
                strict=True,
            )
        ]
        return ops.sum(ops.stack(parts)) if len(parts) > 1 else parts[0]

    def _per_output(self, given: Any, what: str) -> Sequence[Any]:
        """Return what was given for each output, in order, `None` where nothing was."""
        count = len(self._graph.outputs)
        if isinstance(given, dict):
            if unknown := set(given) - set(self.output_names):
                raise TrainingError(
                    f"{what} for {sorted(unknown)} were given, but the model's outputs are {self.output_names}"
                )
            return [given.get(name) for name in self.output_names]
        if isinstance(given, list | tuple):
            if len(given) != count:
                raise TrainingError(
                    f"{len(given)} {what} were given for a model of {count} outputs"
                )
            return given
        return [given] * count


class _LabelsLoss(keras.Model):
    """Has losses and nothing else."""

    def __init__(self, output_names: list[str]) -> None:
        super().__init__(name="labels")
        self.output_names = output_names
        self.built = True


def output_names(graph: LayerGraph) -> list[str]:
    """Return the names of a model's outputs: the keys of a dict of outputs, else the names of their layers."""
    outputs, model = graph.structure.outputs, graph.model
    if isinstance(outputs, dict):
        return keras.tree.flatten({key: key for key in outputs})
    return list(getattr(model, "output_names", None) or [model.layers[-1].name])


def _log_distribution(outputs: Any, ending: Ending, temperature: float) -> Any:
    logits = outputs if ending == "logits" else ops.log(ops.maximum(outputs, _EPSILON))
    return ops.log_softmax(logits / temperature, axis=-1)


def _log_odds(outputs: Any, ending: Ending) -> Any:
    if ending == "binary_logits":
        return outputs
    kept = ops.clip(outputs, _EPSILON, 1 - _EPSILON)
    return ops.log(kept) - ops.log(1 - kept)


def _binary_divergence(wanted: Any, given: Any) -> Any:
    """Return the Kullback-Leibler divergence of two coins, given by their log-odds."""
    yes = ops.sigmoid(wanted) * (ops.log_sigmoid(wanted) - ops.log_sigmoid(given))
    no = ops.sigmoid(-wanted) * (ops.log_sigmoid(-wanted) - ops.log_sigmoid(-given))
    return yes + no


def _aligned(weights: Any, rank: int) -> Any:
    """Return weights with `rank` axes: trailing axes of length 1 are dropped or added."""
    while len(weights.shape) > rank and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, axis=-1)
    while len(weights.shape) < rank:
        weights = ops.expand_dims(weights, axis=-1)
    return weights
