"""`DistillationLoss`: what a network's outputs are compared with, output by output: the labels and a teacher."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfelastic.errors import TrainingError
from tfelastic.graph import LayerGraph
from tfelastic.training.distillation import Distillation, endings_of

# Losses whose targets are plain values: a teacher's outputs are then compared as values too.
_REGRESSIONS = frozenset(
    """
    MeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredLogarithmicError LogCosh Huber
    CosineSimilarity Poisson
    """.lower().split()
)


class DistillationLoss:
    """The loss of a network that learns from labels, from a teacher's outputs, or from both.

    Several outputs are compared one by one and added up under the compiled `loss_weights`. Class scores and
    probabilities are compared with the teacher's as distributions, other values by their squared difference; a
    layer of class scores counts as plain values where its compiled loss is a regression. Losses that the layers add
    themselves (regularizers) are no part of it.

    Args:
        graph: The network's graph; what the outputs are follows from it.
        distillation: How much is learned from the teacher; `None` leaves the labels alone.
    """

    def __init__(self, graph: LayerGraph, distillation: Distillation | None) -> None:
        self.distillation = distillation
        self.output_names = output_names(graph)
        self._endings = endings_of(graph)
        self._weights: tuple[float, ...] = ()
        self._labels: keras.Model | None = None
        self._kinds = self._endings
        self._built = False

    def compile(self, loss: Any, loss_weights: Any) -> None:
        """Take over the losses that the network was compiled with.

        Raises:
            TrainingError: Losses or weights do not belong to the outputs.
        """
        losses = self._per_output(loss, "losses")
        weights = self._per_output(loss_weights, "loss weights")
        self._weights = tuple(1.0 if weight is None else float(weight) for weight in weights)
        self._kinds = tuple(
            "values" if _is_regression(one) else ending
            for one, ending in zip(losses, self._endings, strict=True)
        )
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
            sample_weight: The labels' weights, if any.
        """
        share = self.distillation.weight if self.distillation else 0.0
        parts = []
        if share > 0:
            parts.append(share * self._teacher_part(outputs, teacher))
        if share < 1:
            assert self._labels is not None
            parts.append(
                (1 - share) * self._labels.compute_loss(x, y, outputs, sample_weight, True)
            )
        return sum(parts[1:], parts[0])

    def _teacher_part(self, outputs: Any, teacher: Any) -> Any:
        assert self.distillation is not None
        parts = [
            weight * self.distillation.loss(wanted, given, ending=kind)
            for wanted, given, kind, weight in zip(
                keras.tree.flatten(teacher),
                keras.tree.flatten(outputs),
                self._kinds,
                self._weights,
                strict=True,
            )
        ]
        return ops.sum(ops.stack(parts)) if len(parts) > 1 else parts[0]

    def _per_output(self, given: Any, what: str) -> Sequence[Any]:
        """Return what was given for each output, in order, `None` where nothing was."""
        count = len(self._endings)
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


class DistilledModel(keras.Model):
    """A model that is trained by a `DistillationLoss`, which takes over the losses that the model is compiled with.

    A subclass sets `_distillation_loss` and, where another network teaches it, `teacher`. An evaluation reports the
    labels' loss alone.
    """

    _distillation_loss: DistillationLoss
    teacher: Any = None

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, as losses and metrics for several outputs refer to them."""
        return self._distillation_loss.output_names

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        **options: Any,
    ) -> None:
        """Compile as every Keras model is."""
        super().compile(optimizer, loss, loss_weights, **options)
        self._distillation_loss.compile(loss, loss_weights)

    def compile_from_config(self, config: Any) -> None:
        """Compile as a saved model was."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the labels' loss, in training mixed with the teacher's, and what layers add."""
        loss = self._distillation_loss
        loss.build_losses(y, y_pred, sample_weight)
        if not training or self.teacher is None or loss.distillation is None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        taught = self.teacher(x, training=False)
        return sum(self.losses, loss.compute(x, y, y_pred, taught, sample_weight))


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


def _is_regression(loss: Any) -> bool:
    if loss is None:
        return False
    found = keras.losses.get(loss)
    name = getattr(found, "__name__", type(found).__name__)
    return name.replace("_", "").lower() in _REGRESSIONS
