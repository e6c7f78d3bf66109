"""`EvaluationProgress`: scores of all nets without one block, from one pass over the examples."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tfelastic.block_search.leave_one_out import LeaveOneOutModel
from tfelastic.graph import LayerGraph, trace
from tfelastic.metrics import AdditiveMetric, Evaluator

#: Examples of a part. Parts are what an interrupted search keeps and what several processes share, so not too large.
PART_SIZE = 256


@dataclass(frozen=True)
class EvaluationProgress:
    """How far an evaluation of all nets without one block has come.

    Attributes:
        parts: By the number of a part of the examples, for each block the metric's sums for the net without it, as
            nested lists. Parts may come in any order.
    """

    parts: Mapping[int, Mapping[str, Any]]

    def scores(self, metric: AdditiveMetric) -> dict[str, float]:
        """Return the score of the net without each block on the examples of all parts."""
        # Added up by number, so that the order in which they came makes no difference, not in the last bit.
        ordered = [self.parts[number] for number in sorted(self.parts)]
        return {
            name: metric.value_of(
                sum((np.asarray(part[name]) for part in ordered), start=np.asarray(0.0))
            )
            for name in ordered[0]
        }

    def to_json(self) -> dict[str, Any]:
        """Return the progress as plain data."""
        return {"parts": {str(number): dict(part) for number, part in self.parts.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "EvaluationProgress":
        """Return the progress that `to_json` gave."""
        return cls({int(number): dict(part) for number, part in data["parts"].items()})


def evaluate_without_each(
    evaluator: Evaluator,
    graph: LayerGraph,
    blocks: Sequence[str],
    *,
    after: EvaluationProgress | None = None,
) -> Iterator[EvaluationProgress]:
    """Go through the examples once and yield the progress after every part, wherever `evaluator.spread` scores it.

    Args:
        evaluator: The examples and an additive metric.
        graph: The net; it has one output.
        blocks: Names of its blocks.
        after: The progress to resume from; what it holds is not measured again.

    Raises:
        DataError: Outputs and labels do not fit each other or the metric.
    """
    progress = after or EvaluationProgress({})
    numbers = range(-(-len(evaluator) // PART_SIZE))
    left = [number for number in numbers if number not in progress.parts]
    for index, sums in evaluator.spread(_PartScorer(evaluator, graph.model, blocks), left):
        progress = EvaluationProgress({**progress.parts, left[index]: sums})
        yield progress
        evaluator.report_progress(min(len(progress.parts) * PART_SIZE, len(evaluator)))


class _PartScorer:
    """Scores all nets without one block on one part of the examples; can be sent to another process."""

    def __init__(self, evaluator: Evaluator, net: keras.Model, blocks: Sequence[str]) -> None:
        self._evaluator, self._net, self._blocks = evaluator, net, tuple(blocks)
        # A layer takes the examples of all nets at once.
        self._batch_size = max(1, evaluator.batch_size // (1 + len(blocks)))

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_nets"}

    @functools.cached_property
    def _nets(self) -> LeaveOneOutModel:
        return LeaveOneOutModel(trace(self._net), self._blocks)

    def __call__(self, number: int) -> dict[str, Any]:
        """Return the metric's sums over the part of that number, for the net without each block."""
        metric = self._evaluator.metric_of(self._net)
        assert isinstance(metric, AdditiveMetric)
        labels, outputs = self._evaluator.part(
            self._nets, number * PART_SIZE, size=PART_SIZE, batch_size=self._batch_size
        )
        return {
            name: np.asarray(metric.sums(labels, outputs[:, position])).tolist()
            for position, name in enumerate(self._blocks, start=1)
        }
