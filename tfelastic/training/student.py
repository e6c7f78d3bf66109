"""`Student`: a classifier that learns from labels and from a teacher."""

from typing import Any

import keras

from tfelastic.errors import TrainingError
from tfelastic.graph import trace
from tfelastic.training.distillation import Distillation, endings_of
from tfelastic.training.distillation_loss import DistillationLoss, DistilledModel


class Student(DistilledModel):
    """A net whose loss mixes what the labels and what a teacher say; compile and fit it, and the net is trained.

    Args:
        net: What learns, in place; it returns logits or probabilities of classes.
        teacher: The net to learn from beside the labels, as a rule the original; it is copied and not changed.
            `None` leaves the labels alone.
        distillation: How to weigh the teacher against the labels.

    Raises:
        TrainingError: The net returns neither logits nor probabilities of classes.
    """

    def __init__(
        self,
        net: keras.Model,
        teacher: keras.Model | None,
        *,
        distillation: Distillation = Distillation(weight=0.5),  # noqa: B008 - frozen, so safe to share.
    ) -> None:
        super().__init__(name=f"student_{net.name}")
        graph = trace(net)
        endings = endings_of(graph)
        if len(endings) > 1 or endings[0] == "values":
            raise TrainingError(
                f"model {net.name!r} does not return class scores alone, so labels give no loss; train it "
                "by a function of your own"
            )
        self.ending = endings[0]
        self.net, self.teacher = net, teacher and frozen_copy(teacher)
        self._distillation_loss = DistillationLoss(graph, distillation)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return what the net returns."""
        return self.net(inputs, training=training)


def frozen_copy(teacher: keras.Model) -> keras.Model:
    """Return a copy that no training changes, so that the teacher itself stays as trainable as it is."""
    copy = keras.models.clone_model(teacher)
    copy.set_weights(teacher.get_weights())
    copy.trainable = False
    return copy
