"""What a channel carries when images go through."""

from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from tfelastic.criteria.base import CRITERIA, Criterion
from tfelastic.criteria.samples import Samples
from tfelastic.criteria.units import Units, scores_of
from tfelastic.errors import CriterionError
from tfelastic.graph import LayerGraph, Step

Statistic = Literal["mean", "nonzero"]


@CRITERIA.register("activation")
class Activation(Criterion):
    """The mean absolute activation of a unit's channels, or the share of them that is not zero.

    `score = mean of |a|` or `score = share of a != 0` (1 - APoZ)

    Activations `a` are taken where other layers read them: at the inputs of convolutions and dense layers, so after
    BatchNorm and ReLU. Where several layers read a unit, the score is their average.

    Source: Hu et al., Network Trimming, arXiv 1607.03250 (APoZ, the average percentage of zeros); Molchanov et al.,
    arXiv 1611.06440 (mean activation).

    Args:
        images: What the model takes, `[count, height, width, channels]`; a few hundred are enough. For several
            inputs a list or dict of such arrays.
        statistic: `"mean"`, or `"nonzero"` for nets whose activations are exactly zero at times, as ReLU's are.
        batch_size: How many images run at once.

    Raises:
        CriterionError: There are no images, or the statistic is unknown.

    Examples:
        >>> import keras, numpy as np, tfelastic as te
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu", name="hidden"),
        ...                           keras.layers.Dense(3)])
        >>> te.criteria.Activation(np.ones((6, 4))).score(te.trace(model))["hidden"].shape
        (8,)
    """

    def __init__(self, images: Any, *, statistic: Statistic = "mean", batch_size: int = 32) -> None:
        if statistic not in ("mean", "nonzero"):
            raise CriterionError(
                f"the statistic of activations is 'mean' or 'nonzero', not {statistic!r}"
            )
        self._samples = Samples(images, batch_size=batch_size)
        self._statistic = statistic

    def score(self, graph: LayerGraph) -> dict[str, np.ndarray]:
        """Return the averages over all images, `[units]` per group."""
        probe = _Probe(graph, self._statistic)
        sums: list[np.ndarray] | None = None
        for images, _ in self._samples.batches(drop_remainder=False):
            batch = [
                ops.convert_to_numpy(each).astype(np.float64)
                for each in probe(images, training=False)
            ]
            sums = batch if sums is None else [a + b for a, b in zip(sums, batch, strict=True)]
        units = Units(graph)
        means = units.mean(
            (labels.ravel(), each / self._samples.count)
            for labels, each in zip(probe.labels, sums or [], strict=True)
        )
        return scores_of(units, means, missing="no layer reads its channels; rank by 'magnitude'")


class _Probe(keras.Layer):
    """Runs a model call by call, and returns a sum over images for every tensor that is summed over its channels.

    A layer, since that is how Keras tells all layers inside whether they train; the model's layers are only called.

    Attributes:
        labels: The channels of each result, in order.
    """

    def __init__(self, graph: LayerGraph, statistic: Statistic) -> None:
        super().__init__(name="probe", autocast=False)
        self._graph = graph
        self._statistic = statistic
        self.labels = [step.inputs[i].labels for step in graph.steps for i in step.reduced_inputs]

    def call(self, images: Any) -> list[Any]:
        """Return for each read tensor `[channels]`, summed over images and averaged over positions."""
        inputs = [
            ops.convert_to_tensor(array, dtype=ref.spec.dtype)
            for ref, array in zip(
                self._graph.structure.inputs, keras.tree.flatten(images), strict=True
            )
        ]
        sums: list[Any] = []

        def apply(step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            tensors = [leaf for leaf in keras.tree.flatten((args, kwargs)) if ops.is_tensor(leaf)]
            sums.extend(self._sum(tensors[i], step.inputs[i].labels) for i in step.reduced_inputs)
            return step.op(*args, **kwargs)

        self._graph.run(inputs, apply)
        return sums

    def _sum(self, tensor: Any, labels: np.ndarray) -> Any:
        amount = ops.abs(tensor) if self._statistic == "mean" else ops.not_equal(tensor, 0)
        others = [axis for axis, length in enumerate(labels.shape, start=1) if length == 1]
        amount = ops.cast(amount, keras.backend.result_type(tensor.dtype, "float32"))
        return ops.reshape(ops.sum(ops.mean(amount, axis=others), axis=0), (-1,))
