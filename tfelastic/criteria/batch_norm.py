"""The scale that BatchNorm has learned for a channel."""

from collections.abc import Iterator

import keras
import numpy as np

from tfelastic.criteria.base import CRITERIA, Criterion
from tfelastic.criteria.magnitude import Magnitude
from tfelastic.criteria.units import Units
from tfelastic.errors import CriterionError
from tfelastic.graph import LayerGraph


@CRITERIA.register("batch_norm")
class BatchNormScale(Criterion):
    """The absolute scale, averaged over the BatchNorms that a unit passes through.

    `score = mean of |gamma|`

    It tells most about nets that were trained with an L1 penalty on their scales. Groups that no BatchNorm scales
    (there is none, or it was made with `scale=False`) are scored by `Magnitude`, times one factor that makes their
    mean the mean score of all other units; so nets with both kinds can be ranked as one.

    Source: Liu et al., Learning Efficient Convolutional Networks through Network Slimming, arXiv 1708.06519.
    """

    def score(self, graph: LayerGraph) -> dict[str, np.ndarray]:
        """Return the mean scales, `[units]` per group.

        Raises:
            CriterionError: No prunable group has a BatchNorm with a scale.
        """
        units = Units(graph)
        scores = units.by_group(units.mean(_scales(graph)))
        without = [name for name, score in scores.items() if np.isnan(score).any()]
        if without and len(without) == len(scores):
            raise CriterionError(
                f"model {graph.model.name!r} has no BatchNormalization with a scale (gamma) in any of its "
                f"{len(scores)} prunable groups ({', '.join(without[:3])}{', ...' * (len(without) > 3)}); "
                "rank it by 'magnitude'"
            )
        if without:
            scale = np.concatenate([scores[name] for name in scores if name not in without]).mean()
            magnitude = Magnitude().score(graph)
            mean = np.concatenate([magnitude[name] for name in without]).mean()
            scores |= {name: magnitude[name] * (scale / mean if mean else 0.0) for name in without}
        return scores


def _scales(graph: LayerGraph) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the channels of every BatchNorm, `[channels]`, with their absolute scales."""
    for layer in {step.op: None for step in graph.steps}:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.scale:
            for binding in graph.bindings_of(layer.gamma).values():
                gamma = keras.ops.convert_to_numpy(layer.gamma).astype(np.float64)
                yield binding.labels, np.abs(gamma)
