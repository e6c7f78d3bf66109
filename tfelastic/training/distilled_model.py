"""`DistilledModel`: the base of models that learn from labels and from a teacher."""

from typing import Any

import keras

from tfelastic.training.distillation import DistillationLoss, share_of_replica


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

    def get_compile_config(self) -> Any:
        """Return how the model is compiled; its optimizer then has its variables, which a loaded one needs."""
        if self.compiled and self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        return super().get_compile_config()

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
        added = map(share_of_replica, self.losses)
        return sum(added, loss.compute(x, y, y_pred, taught, sample_weight))
