"""`ElasticModel`: a whole ladder of widths in one set of weights."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from tfelastic.elastic.view import RungView
from tfelastic.graph import trace
from tfelastic.plan import Ladder, Selection
from tfelastic.surgery import build, prune
from tfelastic.training import Distillation, ending_of, recalibrate


@keras.saving.register_keras_serializable("tfelastic")
class ElasticModel(keras.Model):
    """One network that holds every rung of a ladder and can be run at any of them.

    The model is re-ordered by the ladder's ranking, so that each rung's kernels are the leading slices of the
    widest rung's. It trains with the ordinary `compile` and `fit`: each step trains the widest rung on the labels
    and the narrower ones on the widest one's outputs (the sandwich rule with in-place distillation). Called as a
    model it is its widest rung.

    Source: Yu and Huang, Universally Slimmable Networks, arXiv 1903.05134; BatchNorm statistics per width as in Yu
    et al., Slimmable Neural Networks, arXiv 1812.08928.

    Args:
        model: The model to start from; its weights are carried over, and it is not changed.
        ladder: Nested plans for it, made by `tfelastic.ladder`.
        distillation: How narrower rungs learn from the widest; `None` lets them learn from the labels alone.
        name: The model's name.

    Raises:
        PlanError: The ladder was made for another model.

    Example:
        >>> import keras, numpy as np, tfelastic as te
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(16, 3),
        ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])
        >>> net = te.ElasticModel(model, te.ladder(model))
        >>> net.names
        ('w100', 'w075', 'w050', 'w025')
        >>> net.rung("w025")(np.zeros((2, 8, 8, 3))).shape == (2, 10)
        True
        >>> net.cut("w025").count_params()
        162
    """

    def __init__(
        self,
        model: keras.Model,
        ladder: Ladder,
        *,
        distillation: Distillation | None = Distillation(),  # noqa: B008 - frozen, so safe to share.
        name: str | None = None,
    ) -> None:
        super().__init__(name=name or f"elastic_{model.name}")
        self.base = prune(model, ladder.rungs[0].plan)
        graph = trace(self.base)
        self._graph = _Aside(graph)
        self._ladder = _Aside(ladder.within(graph.fingerprint))
        self._ending = ending_of(graph)
        self.distillation = distillation
        self.narrow = [
            RungView(self.base, Selection(graph, rung.plan), name=rung.name)
            for rung in self.ladder.rungs[1:]
        ]
        self.built = True

    @property
    def ladder(self) -> Ladder:
        """The ladder as it looks from the widest rung: every rung keeps leading channels."""
        return self._ladder.value

    @property
    def names(self) -> tuple[str, ...]:
        """The rungs' names, widest first."""
        return self.ladder.names

    def build(self, input_shape: Any = None) -> None:
        """Nothing is left to build."""
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the widest rung's outputs."""
        return self.base(inputs, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the widest rung's loss and, in training, add the narrower rungs' losses."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:
            return loss
        distillation = self.distillation or Distillation(weight=0.0)
        share = distillation.weight
        for view in self.narrow:
            outputs = view(x, training=True)
            if share > 0:
                loss += share * distillation.loss(y_pred, outputs, ending=self._ending)
            if share < 1:
                loss += (1 - share) * super().compute_loss(x, y, outputs, sample_weight, training)
        return loss

    def rung(self, name: str) -> keras.Model:
        """Return one rung as a model on the shared weights: call it, `predict` or `evaluate` with it.

        Raises:
            PlanError: There is no such rung; the text lists those there are.
        """
        index = self.names.index(self.ladder.rung(name).name)
        return self.base if index == 0 else self.narrow[index - 1]

    def cut(self, name: str) -> keras.Model:
        """Return one rung as a stand-alone model with weights of its own, equal to the rung to the last bit.

        Raises:
            PlanError: There is no such rung; the text lists those there are.
        """
        rung = self.ladder.rung(name)
        model, slices = build(Selection(self._graph.value, rung.plan))
        view = self.rung(name)
        if isinstance(view, RungView):
            view.fill(slices)
        else:
            for piece in slices:
                piece.variable.assign(piece.value())
        return model

    def recalibrate(self, images: np.ndarray, *, batch_size: int = 128) -> None:
        """Measure every rung's BatchNorm statistics anew on `images`, `[count, height, width, channels]`."""
        recalibrate(self.base, images, batch_size=batch_size)
        for view in self.narrow:
            recalibrate(view, images, batch_size=batch_size, statistics=view.statistics)

    def get_config(self) -> dict[str, Any]:
        """Return the widest model's structure, the ladder and the distillation as plain data."""
        return {
            "name": self.name,
            "model": keras.saving.serialize_keras_object(self.base),
            "ladder": self.ladder.to_json(),
            "distillation": asdict(self.distillation) if self.distillation else None,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> "ElasticModel":
        """Return the model that `get_config` described, with fresh weights."""
        model = keras.saving.deserialize_keras_object(
            config["model"], custom_objects=custom_objects
        )
        distillation = config["distillation"]
        return cls(
            model,
            Ladder.from_json(config["ladder"]),
            distillation=Distillation(**distillation) if distillation else None,
            name=config["name"],
        )


class _Aside:
    """Holds a value where Keras does not look for layers and variables."""

    def __init__(self, value: Any) -> None:
        self.value = value
