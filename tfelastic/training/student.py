"""`Student`: a network that learns from labels and from a teacher."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import keras

from tfelastic._plan import KeepPlan, Selection
from tfelastic.errors import GraphError, TrainingError
from tfelastic.graph import trace
from tfelastic.surgery import build
from tfelastic.training.distillation import Distillation, DistillationLoss
from tfelastic.training.distilled_model import DistilledModel
from tfelastic.training.onednn import avoid_onednn_crash


@keras.saving.register_keras_serializable("tfelastic")
class Student(DistilledModel):
    """A net whose loss mixes the labels' and a teacher's; compile and fit it, and the net is trained.

    Args:
        net: What learns, in place.
        teacher: The net to learn from beside the labels, as a rule the original; it is copied and not changed.
            `None` leaves the labels alone.
        distillation: How to weigh the teacher against the labels.

    Raises:
        GraphError: The net cannot be traced.
        TrainingError: The teacher cannot be copied.
    """

    def __init__(
        self,
        net: keras.Model,
        teacher: keras.Model | None,
        *,
        distillation: Distillation = Distillation(weight=0.5),  # noqa: B008 - frozen, so safe to share.
    ) -> None:
        # Values pass through in full precision; the net's layers cast them as their policies say.
        super().__init__(name=f"student_{net.name}", autocast=False)
        self._distillation_loss = DistillationLoss(trace(net), distillation)
        self.net, self.teacher = net, teacher and frozen_copy(teacher)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return what the net returns."""
        with avoid_onednn_crash(self.net) if training else nullcontext():
            return self.net(inputs, training=training)

    def get_config(self) -> dict[str, Any]:
        """Return the structures of net and teacher and the distillation as plain data."""
        distillation = self._distillation_loss.distillation
        assert distillation is not None
        return {
            "net": keras.saving.serialize_keras_object(self.net),
            "teacher": self.teacher and keras.saving.serialize_keras_object(self.teacher),
            "distillation": asdict(distillation),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> "Student":
        """Return the student that `get_config` described, with fresh weights."""
        net, teacher = (
            config[key] and keras.saving.deserialize_keras_object(config[key], custom_objects)
            for key in ("net", "teacher")
        )
        return cls(net, teacher, distillation=Distillation(**config["distillation"]))


def frozen_copy(teacher: keras.Model) -> keras.Model:
    """Return a copy that no training changes, so that the teacher itself stays as trainable as it is.

    Raises:
        TrainingError: The teacher cannot be copied.
    """
    try:
        graph = trace(teacher)
        copy, _ = build(Selection(graph, KeepPlan(graph.fingerprint)))
    except GraphError as cause:
        copy = _cloned(teacher, cause)
    copy.trainable = False
    return copy


def _cloned(teacher: keras.Model, cause: GraphError) -> keras.Model:
    """Return a copy of a model that cannot be traced, made from its config."""
    try:
        copy = type(teacher).from_config(teacher.get_config())
        if config := teacher.get_build_config():
            copy.build_from_config(config)
        copy.set_weights(teacher.get_weights())
    except (NotImplementedError, TypeError, ValueError) as failure:
        raise TrainingError(
            f"the teacher {teacher.name!r} cannot be copied: {failure}; give a functional or sequential model, or "
            "one with a get_config that describes it completely"
        ) from cause
    return copy
