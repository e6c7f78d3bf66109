"""`Sensitivity`: what a model's score loses with each group's channels and with each block, measured one at a time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from tfelastic._plan import KeepPlan
from tfelastic.criteria import Criterion, readers, resolve
from tfelastic.errors import CriterionError
from tfelastic.graph import Group, LayerGraph, trace
from tfelastic.metrics import Evaluator, MetricLike
from tfelastic.strategies.importance import best_first
from tfelastic.surgery import prune


class Sensitivity(Criterion):
    """Measures how much of its score the model loses without channels of each group, and without each block.

    Each group is measured alone, at several shares of its channels; between them the loss is spread evenly over the
    channels. Dropped channels are set to zero where they are read, which is what pruning them does. Losses of several
    groups are added up as if they did not interact.

    Source: sensitivity analysis as in Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017,
    arXiv 1608.08710; blocks as in Wu et al., arXiv 2312.16904.

    Args:
        inputs: What the model takes, `[N, ...]`, as in `tfelastic.Evaluator`.
        labels: The labels of the `N` examples.
        metric: What `tfelastic.metric_of` takes; by default the model's own metric.
        ranking: What ranks the channels within a group: a name or a criterion.
        shares: The shares of a group's channels that are kept when it is measured; the smallest step is measured too.
        batch_size: How many examples a layer takes at once.
        progress: Called as `progress(done, total)` after each measurement.

    Raises:
        CriterionError: A share is not between 0 and 1.
        DataError: Inputs and labels do not fit each other.
    """

    comparable = True

    def __init__(
        self,
        inputs: Any,
        labels: Any,
        *,
        metric: MetricLike | None = None,
        ranking: str | Criterion = "magnitude",
        shares: Sequence[float] = (0.75, 0.5, 0.25),
        batch_size: int = 256,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        if not shares or not all(0 < share < 1 for share in shares):
            raise CriterionError(
                f"the shares of a sensitivity lie between 0 and 1, received {tuple(shares)}"
            )
        self._evaluator = Evaluator(inputs, labels, metric=metric, batch_size=batch_size)
        self._ranking = resolve(ranking)
        self._shares = tuple(sorted(shares, reverse=True))
        self._progress = progress

    def score(self, graph: LayerGraph) -> dict[str, np.ndarray]:
        """Return, for each unit, its part of the loss measured where it goes.

        Raises:
            CriterionError: The ranking cannot score the model.
            DataError: Outputs and labels do not fit each other or the metric.
        """
        ranks = self._ranking.score(graph)
        model = _copy(graph)
        copied = trace(model)
        evaluator = self._evaluator.resolved(model)
        full = evaluator.score(model).signed
        points = {group.name: self._points(group) for group in graph.prunable}
        total, done = sum(map(len, points.values())), 0
        scores = {}
        for group in graph.prunable:
            order, wide, lost = best_first(ranks[group.name]), group.size, 0.0
            found = np.zeros(group.size)
            for keep in points[group.name]:
                dropped = order[keep:]
                with _zeroed(copied, group.name, dropped):
                    # A score that rises by dropping more is taken for noise: losses only grow.
                    now = max(lost, full - evaluator.score(model).signed)
                found[order[keep:wide]] = (now - lost) / (wide - keep)
                wide, lost, done = keep, now, done + 1
                if self._progress is not None:
                    self._progress(done, total)
            found[order[:wide]] = found.max(initial=0.0)
            scores[group.name] = _ranked(found, order)
        return scores

    def score_blocks(self, graph: LayerGraph) -> dict[str, float]:
        """Return the loss of the score without each block, at least 0."""
        evaluator = self._evaluator.resolved(graph.model)
        full = evaluator.score(graph.model).signed
        losses = {}
        for block in graph.blocks:
            plan = KeepPlan(graph.fingerprint, removed=(block.name,))
            losses[block.name] = max(0.0, full - evaluator.score(prune(graph.model, plan)).signed)
        return losses

    def _points(self, group: Group) -> list[int]:
        """Return how many units to keep at each measurement, falling."""
        counts = {max(1, round(share * group.size)) for share in self._shares}
        return sorted(counts - {group.size}, reverse=True)


def _copy(graph: LayerGraph) -> keras.Model:
    """Return a model of the same layers with weights of its own."""
    return prune(graph.model, KeepPlan(graph.fingerprint))


@contextmanager
def _zeroed(graph: LayerGraph, group: str, units: np.ndarray) -> Iterator[None]:
    """Set what reads some units of a group to zero, for as long as the context lasts."""
    number = [each.name for each in graph.groups].index(group)
    before: list[tuple[keras.Variable, np.ndarray]] = []
    for binding in readers(graph):
        owner, unit = graph.unit_of[binding.labels].T
        positions = np.flatnonzero((owner == number) & np.isin(unit, units))
        if len(positions):
            value = keras.ops.convert_to_numpy(binding.variable)
            before.append((binding.variable, value))
            zeroed = np.array(value)
            zeroed[(slice(None),) * binding.axis + (positions,)] = 0
            binding.variable.assign(zeroed)
    try:
        yield
    finally:
        for variable, value in reversed(before):
            variable.assign(value)


def _ranked(losses: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return losses that never rise along the ranking, best first, so that the order of dropping stays the ranking's.

    Each unit takes the mean of a run of units that end in equal or smaller losses (isotonic regression by pooling
    adjacent violators), so what a run loses altogether stays.
    """
    pools: list[list[float]] = []
    for loss in losses[order].tolist():
        pools.append([loss, 1])
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            (first, n), (last, m) = pools[-2:]
            pools[-2:] = [[(first * n + last * m) / (n + m), n + m]]
    ranked = np.empty_like(losses)
    ranked[order] = np.repeat([mean for mean, _ in pools], [int(count) for _, count in pools])
    # Within a run the ranking decides, by differences too small to count.
    ranked[order] += 1e-12 * np.arange(len(order), 0, -1)
    return ranked
