"""The change of the loss when a unit goes, by first-order expansion."""

from typing import Any

import numpy as np

from tfelastic.criteria.base import CRITERIA, Criterion
from tfelastic.criteria.gates import gate_gradients
from tfelastic.criteria.samples import Samples
from tfelastic.criteria.units import Units, scores_of
from tfelastic.graph import LayerGraph

UNREAD = "no kernel reads its channels, so gradients cannot tell their worth; rank by 'magnitude'"


@CRITERIA.register("taylor")
class Taylor(Criterion):
    """How much the loss would change, to first order, if the unit were dropped.

    `score = mean over batches of (sum of g * w) ** 2`

    The sum runs over the slices of all kernels that read the unit, with `g` the gradient of the batch's mean loss
    with respect to the weight `w`: zeroing them is what dropping the unit does. It equals the derivative with
    respect to a gate on the unit.

    Source: Molchanov et al., Importance Estimation for Neural Network Pruning, arXiv 1906.10771 (squared); the
    absolute value as in Molchanov et al., arXiv 1611.06440.

    Args:
        images: What the model takes, `[count, height, width, channels]`; a few hundred are enough, and those beyond
            full batches are left out. For several inputs a list or dict of such arrays.
        labels: What the loss takes, `[count, ...]`.
        loss: A loss as for `keras.Model.compile`; left out, the cross entropy that suits the model's ending
            (softmax or class scores) and the labels (class numbers or one-hot).
        batch_size: How many images make one term of the mean.
        squared: Whether to square each term; its absolute value is taken otherwise.

    Raises:
        CriterionError: There are no images, or not as many labels.

    Examples:
        >>> import keras, numpy as np, tfelastic as te
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu", name="hidden"),
        ...                           keras.layers.Dense(3)])
        >>> images, labels = np.ones((6, 4)), np.array([0, 1, 2, 0, 1, 2])
        >>> te.criteria.Taylor(images, labels).score(te.trace(model))["hidden"].shape
        (8,)
    """

    def __init__(
        self,
        images: Any,
        labels: Any,
        *,
        loss: Any = None,
        batch_size: int = 32,
        squared: bool = True,
    ) -> None:
        self._samples = Samples(images, labels, batch_size=batch_size)
        self._loss = loss
        self._worth = np.square if squared else np.abs

    def score(self, graph: LayerGraph) -> dict[str, np.ndarray]:
        """Return the mean squared or absolute first-order changes, `[units]` per group.

        Raises:
            CriterionError: No loss suits the model, or the loss is not finite.
        """
        terms = [self._worth(g) for g in gate_gradients(graph, self._samples, loss=self._loss)]
        return scores_of(Units(graph), np.mean(terms, axis=0), missing=UNREAD)
