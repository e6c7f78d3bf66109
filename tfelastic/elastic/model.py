"""`ElasticModel`: every width of a ladder in one set of weights."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import keras

from tfelastic._plan import Ladder, Selection
from tfelastic.elastic.growth import Growth
from tfelastic.elastic.interpolation import Neighbours, interpolate, refine_ladder
from tfelastic.elastic.sandwich_rule import SandwichRule
from tfelastic.elastic.untracked import Untracked
from tfelastic.elastic.view import RungView
from tfelastic.elastic.weight_source import Scales
from tfelastic.graph import LayerGraph, trace
from tfelastic.surgery import build, prune
from tfelastic.training import (
    Distillation,
    DistillationLoss,
    DistilledModel,
    avoid_onednn_crash,
    recalibrate,
)


@keras.saving.register_keras_serializable("tfelastic")
class ElasticModel(DistilledModel):
    """One network that holds every rung of a ladder and can be run at any of them.

    The model is re-ordered by the ladder's ranking, so that each rung's kernels are the leading slices of the
    widest rung's; a rung may also lack blocks. It trains with the ordinary `compile` and `fit`: each step
    trains the widest rung on the labels and the narrowest and one or two others on the widest one's outputs (the
    sandwich rule with in-place distillation). Called as a model it is its widest rung.

    Source: Yu and Huang, Universally Slimmable Networks, arXiv 1903.05134; BatchNorm statistics per width as in Yu
    et al., Slimmable Neural Networks, arXiv 1812.08928.

    Args:
        model: The model to start from; its weights are carried over, and it is not changed.
        ladder: Nested plans for it, made by `tfelastic.ladder`.
        distillation: How narrower rungs learn from the widest; `None` lets them learn from the labels alone.
        scales: What of a BatchNorm scale a rung owns: a positive factor on the shared one (`"factors"`), or all but
            the sign (`"own"`), as prune-and-grow needs it.
        middle_rungs: How many rungs between the widest and the narrowest a step trains, 1 or 2. A ladder with more
            draws them anew at every step; 1 makes a step of four rungs cheaper by a middle one's work.
        seed: Fixes which rungs a step draws.
        name: The model's name.

    Raises:
        PlanError: The ladder was made for another model.
        TrainingError: `middle_rungs` is neither 1 nor 2.

    Examples:
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
        scales: Scales = "factors",
        middle_rungs: int = 2,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        # Values pass through in full precision; the layers of the rungs cast them as their policies say.
        super().__init__(name=name or f"elastic_{model.name}", autocast=False)
        self.base = prune(model, ladder.rungs[0].plan)
        graph = trace(self.base)
        self._graph = Untracked(graph)
        self._ladder = Untracked(ladder.within(graph.fingerprint))
        self._options: dict[str, Any] = {
            "scales": scales,
            "middle_rungs": middle_rungs,
            "seed": seed,
        }
        self._distillation_loss = DistillationLoss(graph, distillation)
        self.narrow = [
            RungView(self.base, Selection(graph, rung.plan), scales=scales, name=rung.name)
            for rung in self.ladder.rungs[1:]
        ]
        self._sandwich_rule = SandwichRule(self.narrow, middle_rungs=middle_rungs, seed=seed)
        self._draws = self._sandwich_rule.draws
        self.growth: Growth | None = None
        self.built = True

    @property
    def distillation(self) -> Distillation | None:
        """How narrower rungs learn from the widest."""
        return self._distillation_loss.distillation

    @property
    def graph(self) -> LayerGraph:
        """The widest rung's graph."""
        return self._graph.value

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
        with avoid_onednn_crash(self.base) if training else nullcontext():
            return self.base(inputs, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the widest rung's loss and, in training, add the losses of the narrower rungs of this step.

        What layers add to the loss (regularizers of the shared weights) counts once, with the widest rung.
        """
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if training:
            losses = self._sandwich_rule.losses(
                self._distillation_loss, x, y, y_pred, sample_weight
            )
            for part in losses:
                loss += part
        return loss

    def rung(self, name: str) -> keras.Model:
        """Return one rung as a model on the shared weights: call it, `predict` or `evaluate` with it.

        Raises:
            PlanError: There is no such rung; the text lists those there are.
        """
        index = self.names.index(self.ladder.rung(name).name)
        return self.base if index == 0 else self.narrow[index - 1]

    def cut(self, name: str) -> keras.Model:
        """Return one rung as a stand-alone model with weights of its own, not compiled.

        Train it within `tfelastic.avoid_onednn_crash`, as this network and `Student` do by themselves.

        It equals the rung to the last bit, but for rounding where XLA compiles the two.

        Raises:
            PlanError: There is no such rung; the text lists those there are.
        """
        rung = self.ladder.rung(name)
        model, slices = build(Selection(self.graph, rung.plan))
        view = self.rung(name)
        if isinstance(view, RungView):
            view.fill(slices)
        return model

    def recalibrate(self, data: Any, *, batch_size: int = 128) -> None:
        """Measure every rung's BatchNorm statistics anew on `data`, as `tfelastic.recalibrate` takes them.

        A BatchNorm that was frozen keeps its statistics in the widest rung; those of the narrower rungs, into which
        other values come, are measured.
        """
        recalibrate(self.base, data, batch_size=batch_size)
        for view in self.narrow:
            view.recalibrate(data, batch_size=batch_size)

    def with_widths(
        self, widths: Sequence[float], data: Any, *, round_to: int = 8
    ) -> "ElasticModel":
        """Return a network with further rungs between the trained ones; this one is not changed.

        A rung's kernels are the shared ones. Its own weights (biases, shifts, factors) are interpolated between its
        neighbours', and its BatchNorm statistics are measured. The rungs there were stay as they are, to the last
        bit. The new network is not compiled; trained on, it trains all of its rungs.

        Source: Yu and Huang, Universally Slimmable Networks, arXiv 1903.05134, where BatchNorm statistics of any
        width are computed after training.

        Args:
            widths: Shares of each group's channels, each between two of the ladder's.
            data: What the statistics are measured on, as `tfelastic.recalibrate` takes it; `None` interpolates
                them too, which is good enough only where there are none that matter.
            round_to: New channel counts are multiples of this; less in narrow groups, as in `tfelastic.ladder`.

        Raises:
            PlanError: A width does not lie between two rungs, or keeps the same channels as another rung.

        Examples:
            >>> import keras, numpy as np, tfelastic as te
            >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(16, 3),
            ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])
            >>> net = te.ElasticModel(model, te.ladder(model, widths=(1, 0.25)))
            >>> net.with_widths([0.5], np.zeros((4, 8, 8, 3))).names
            ('w100', 'w050', 'w025')
        """
        ladder = refine_ladder(self.graph, self.ladder, widths, round_to=round_to)
        net = ElasticModel(
            self.base, ladder, distillation=self.distillation, name=self.name, **self._options
        )
        net.growth = self.growth
        for name in self.names[1:]:
            net.rung(name).set_weights(self.rung(name).get_weights())
        for rung, view in zip(ladder.rungs[1:], net.narrow, strict=True):
            if rung.name not in self.names:
                near = Neighbours.of(rung.width, self.ladder)
                wider, narrower = (net.rung(n.name) for n in (near.wider, near.narrower))
                interpolate(view, wider, narrower, share=near.share)
                if data is not None:
                    view.recalibrate(data)
        return net

    def get_config(self) -> dict[str, Any]:
        """Return the widest model's structure, the ladder and the distillation as plain data."""
        return {
            "name": self.name,
            "model": keras.saving.serialize_keras_object(self.base),
            "ladder": self.ladder.to_json(),
            "distillation": asdict(self.distillation) if self.distillation else None,
            **self._options,
            "growth": self.growth.to_json() if self.growth else None,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> "ElasticModel":
        """Return the model that `get_config` described, with fresh weights."""
        config = dict(config)
        growth, distillation = config.pop("growth", None), config.pop("distillation")
        model = keras.saving.deserialize_keras_object(
            config.pop("model"), custom_objects=custom_objects
        )
        net = cls(
            model,
            Ladder.from_json(config.pop("ladder")),
            distillation=Distillation(**distillation) if distillation else None,
            **config,
        )
        net.growth = Growth.from_json(growth) if growth else None
        return net
