"""The change of the loss when a unit goes, by the Hessian's diagonal."""

from typing import Any

import numpy as np

from tfelastic.criteria.base import CRITERIA, Criterion
from tfelastic.criteria.gates import gate_gradients
from tfelastic.criteria.samples import Samples
from tfelastic.criteria.taylor import UNREAD
from tfelastic.criteria.units import Units, scores_of
from tfelastic.graph import LayerGraph


@CRITERIA.register("hessian")
class Hessian(Criterion):
    """How much the loss would rise, to second order, if the unit were dropped from a trained model.

    `score = 1 / 2 * mean over images of (sum of g * w) ** 2`

    The sum is that of `Taylor`, the derivative of one image's loss with respect to a gate on the unit. Once training
    has brought the mean gradient to zero, the second-order term `h / 2` is what remains of the expansion, and the
    mean squared gradient (the empirical Fisher information) estimates the Hessian's diagonal `h` over the gates.
    Images run one by one, since squares of a batch's mean gradient would not do.

    Source: LeCun et al., Optimal Brain Damage, 1989; over coupled channels by gradients, Liu et al., Group Fisher
    Pruning, arXiv 2108.00708.

    Args:
        images: What the model takes, `[count, height, width, channels]`; a few hundred are enough. For several
            inputs a list or dict of such arrays.
        labels: What the loss takes, `[count, ...]`.
        loss: A loss as for `keras.Model.compile`; left out, the cross entropy that suits the model's ending
            (softmax or class scores) and the labels (class numbers or one-hot).

    Raises:
        CriterionError: There are no images, or not as many labels.
    """

    def __init__(self, images: Any, labels: Any, *, loss: Any = None) -> None:
        self._samples = Samples(images, labels, batch_size=1)
        self._loss = loss

    def score(self, graph: LayerGraph) -> dict[str, np.ndarray]:
        """Return the estimated rises of the loss, `[units]` per group.

        Raises:
            CriterionError: No loss suits the model, or the loss is not finite.
        """
        terms = [np.square(g) for g in gate_gradients(graph, self._samples, loss=self._loss)]
        return scores_of(Units(graph), np.mean(terms, axis=0) / 2, missing=UNREAD)
