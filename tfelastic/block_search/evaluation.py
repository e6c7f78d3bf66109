"""`EvaluationProgress`: scores of all nets without one block, from one pass over the examples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfelastic.block_search.leave_one_out import LeaveOneOutModel
from tfelastic.graph import LayerGraph
from tfelastic.metrics import AdditiveMetric, Evaluator


@dataclass(frozen=True)
class EvaluationProgress:
    """How far an evaluation of all nets without one block has come.

    Attributes:
        seen: How many examples have been scored.
        sums: For each block the metric's sums over them for the net without it, as nested lists.
    """

    seen: int
    sums: Mapping[str, Any]

    def scores(self, metric: AdditiveMetric) -> dict[str, float]:
        """Return the score of the net without each block on the examples seen."""
        return {name: metric.value_of(np.asarray(sums)) for name, sums in self.sums.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the progress as plain data."""
        return {"seen": self.seen, "sums": dict(self.sums)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "EvaluationProgress":
        """Return the progress that `to_json` gave."""
        return cls(int(data["seen"]), dict(data["sums"]))


def evaluate_without_each(
    evaluator: Evaluator,
    graph: LayerGraph,
    blocks: Sequence[str],
    *,
    after: EvaluationProgress | None = None,
) -> Iterator[EvaluationProgress]:
    """Go through the examples once and yield, part by part, the sums for the net without each block.

    Args:
        evaluator: The examples and an additive metric.
        graph: The net; it has one output.
        blocks: Names of its blocks.
        after: The progress to resume from.

    Raises:
        DataError: Outputs and labels do not fit each other or the metric.
    """
    metric = evaluator.metric_of(graph.model)
    assert isinstance(metric, AdditiveMetric)
    nets = LeaveOneOutModel(graph, blocks)
    progress = after or EvaluationProgress(0, {})
    # A layer takes the examples of all nets at once.
    batch_size = max(1, evaluator.batch_size // (1 + len(blocks)))
    for labels, outputs in evaluator.parts(nets, batch_size=batch_size, start=progress.seen):
        sums = {
            name: (
                np.asarray(progress.sums.get(name, 0.0)) + metric.sums(labels, outputs[:, number])
            ).tolist()
            for number, name in enumerate(blocks, start=1)
        }
        progress = EvaluationProgress(progress.seen + len(outputs), sums)
        yield progress
