"""`remove_blocks`: removes residual blocks one by one, by the measured score of the net without each."""

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import keras
import numpy as np

from tfelastic._cost import Budget
from tfelastic._plan import KeepPlan
from tfelastic.block_search.evaluation import evaluate_without_each
from tfelastic.block_search.objective import SearchObjective
from tfelastic.block_search.progress import SearchCheckpoint, SearchProgress, weights_hash
from tfelastic.block_search.report import BlockReport, BlockStep
from tfelastic.errors import SearchError
from tfelastic.graph import residuals_kept, trace
from tfelastic.metrics import AdditiveMetric, Evaluator, Score
from tfelastic.surgery import prune

Evaluate: TypeAlias = Evaluator | Callable[[keras.Model], Any]
"""Says how good a net is."""


def remove_blocks(
    model: keras.Model,
    *,
    evaluate: Evaluate,
    budget: Budget | int | None = None,
    floor: float | None = None,
    per: Literal["block", "saving"] = "block",
    order: Sequence[str] | None = None,
    after_step: Callable[[keras.Model], object] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> BlockReport:
    """Remove residual blocks, one at a time, each time the one whose removal hurts least.

    A step measures the net without each remaining block, drops the block without which the score is best
    (of equals the one that saves most), and gives the net that is left to `after_step`. `model` is only read.

    Source: Wu et al., arXiv 2312.16904 (direct removal, no proxy). What saves most decides ties here.

    Args:
        model: A functional model with residual parts whose input and output have the same shape.
        evaluate: A `tfelastic.Accuracy` or other `Evaluator`, which scores all candidates of a step together, in about
            half the time; or a function of a model that returns a number, more is better, or a `tfelastic.Score`.
        budget: What the result may spend, or how many blocks to remove.
        floor: The search ends before the score that a step leaves gets worse than this. Without a budget, blocks go
            until then; with one, the search ends at whichever comes first.
        per: `"block"` looks at the score alone, `"saving"` at the loss of score per share of the
            cost saved, as far as the budget still needs it.
        order: Names of blocks, to be removed in this order whatever their score (see
            `tfelastic.random_blocks` and `tfelastic.smallest_blocks`).
        after_step: Called with the net that a step leaves, which it may change in place: train it, as
            `tfelastic.FineTuning` does, or measure its BatchNorm statistics anew (`tfelastic.recalibrate`).
        checkpoint: A folder. An interrupted search resumes from it when called again with the same arguments: after
            the last candidate, or with an `Evaluator` after the last part of the examples.

    Returns:
        The plan, every candidate's score at every step, and the net that is left.

    Raises:
        BudgetError: The budget is malformed, or cannot be met even without all blocks.
        DataError: The evaluator's labels do not fit the model.
        SearchError: The model has no blocks, `evaluate` returns no number, or the search cannot go on; `report` is
            what it found so far.

    Example:
        ```python
        report = te.remove_blocks(model, evaluate=te.Accuracy(images, labels), budget=te.Budget(params=0.5))
        print(report)                                # a row per step
        small = report.model                         # or te.prune(model, report.plan)
        ```
    """
    evaluation = _Evaluation(model, evaluate)
    objective = SearchObjective(
        trace(model), budget, floor, per, higher_is_better=evaluation.higher_is_better
    )
    search = _Search(model, evaluation, objective, order)
    return search.run(after_step, checkpoint)


class _Evaluation:
    """How nets are scored: by an evaluator with the original's metric, or by a function of the user's."""

    def __init__(self, model: keras.Model, evaluate: Evaluate) -> None:
        self._function = None if isinstance(evaluate, Evaluator) else evaluate
        self.evaluator = evaluate.resolved(model) if isinstance(evaluate, Evaluator) else None
        metric = self.evaluator.metric_of(model) if self.evaluator else None
        self.name = metric.name if metric else "score"
        self.higher_is_better = metric.higher_is_better if metric else True

    def __call__(self, net: keras.Model) -> Any:
        """Return the score of `net`, as a number; what a user's function returns is not checked."""
        if self._function is None:
            assert self.evaluator is not None
            return self.evaluator.score(net).value
        value = self._function(net)
        return value.signed if isinstance(value, Score) else value

    def __str__(self) -> str:
        return f"{self.name} of {len(self.evaluator)} examples" if self.evaluator else "a function"


class _Search:
    """One search: the net as it stands, and what has been found."""

    def __init__(
        self,
        model: keras.Model,
        evaluate: _Evaluation,
        objective: SearchObjective,
        order: Sequence[str] | None,
    ) -> None:
        self._model, self._net = model, model
        self._evaluate = evaluate
        self._objective = objective
        self._candidates = tuple(block.name for block in objective.graph.blocks)
        if unknown := set(order or ()) - set(self._candidates):
            raise SearchError(
                f"the order names {sorted(unknown)}; the blocks of model {model.name!r} are {self._candidates}"
            )
        self._order = None if order is None else tuple(order)
        self._progress = SearchProgress()
        self._refused: BlockStep | None = None

    def run(
        self,
        after_step: Callable[[keras.Model], object] | None,
        folder: str | os.PathLike[str] | None,
    ) -> BlockReport:
        self._checkpoint = SearchCheckpoint(folder, self._request())
        self._resume()
        score = self._progress.score
        if score is None:
            score = self._progress.score = self._measure(self._model, "the original model")
            self._checkpoint.save(self._progress)
        self._objective.check_floor(score)
        while (reason := self._objective.reached(self._removed)) is None:
            candidates = self._remaining()
            if not candidates:
                if self._objective.binding:
                    raise self._error(self._objective.shortfall(self._removed))
                reason = "no block is left to remove"
                break
            measured = self._measure_each(candidates)
            name = self._objective.choose(measured, self._score, self._removed)
            if not self._take(name, measured, after_step):
                reason = f"without {name} the score is worse than the floor"
                break
        return self._report(reason)

    @property
    def _removed(self) -> tuple[str, ...]:
        return tuple(step.removed for step in self._progress.steps)

    @property
    def _score(self) -> float:
        """The score of the net as it stands."""
        steps = self._progress.steps
        return steps[-1].score if steps else float(self._progress.score or 0)

    def _request(self) -> dict[str, Any]:
        return {
            "model": self._objective.graph.fingerprint,
            "weights": weights_hash(self._model),
            "evaluation": str(self._evaluate),
            "order": self._order,
            **self._objective.to_json(),
        }

    def _resume(self) -> None:
        self._progress = self._checkpoint.load()
        if self._removed:
            for name in self._removed:
                self._net = _without(self._net, name)
            self._checkpoint.load_weights(self._net, len(self._removed))

    def _remaining(self) -> tuple[str, ...]:
        """Return the blocks that this step has to measure."""
        present = {block.name for block in trace(self._net).blocks}
        left = tuple(name for name in self._order or self._candidates if name in present)
        return left if self._order is None else left[:1]

    def _measure_each(self, candidates: Sequence[str]) -> dict[str, float]:
        """Return the score of the net without each candidate."""
        progress = self._progress
        graph, evaluator = trace(self._net), self._evaluate.evaluator
        metric = evaluator.metric_of(self._net) if evaluator else None
        several = len(candidates) > 1 and len(graph.outputs) == 1
        if evaluator and isinstance(metric, AdditiveMetric) and several:
            for part in evaluate_without_each(
                evaluator, graph, candidates, after=progress.evaluation
            ):
                progress.evaluation = part
                self._checkpoint.save(progress)
            assert progress.evaluation is not None
            return progress.evaluation.scores(metric)
        for name in candidates:
            if name not in progress.measured:
                net = _without(self._net, name)
                progress.measured[name] = self._measure(net, f"the net without {name}")
                self._checkpoint.save(progress)
        return progress.measured

    def _take(
        self,
        name: str,
        measured: dict[str, float],
        after_step: Callable[[keras.Model], object] | None,
    ) -> bool:
        """Remove block `name` for good, unless the score is then worse than the floor."""
        net = _without(self._net, name)
        score = measured[name]
        if after_step is not None:
            after_step(net)
            score = self._measure(net, f"the net without {name}")
        spent = self._objective.spent((*self._removed, name))
        step = BlockStep(name, dict(measured), score, spent)
        if not self._objective.above_floor(score):
            self._refused = step
            return False
        self._net = net
        steps = [*self._progress.steps, step]
        self._progress = SearchProgress(self._progress.score, steps)
        self._checkpoint.save(self._progress, net)
        return True

    def _measure(self, net: keras.Model, what: str) -> float:
        value = self._evaluate(net)
        try:
            score = float(value) if np.ndim(value) == 0 else math.nan
        except (TypeError, ValueError):
            score = math.nan
        if not math.isfinite(score):
            raise self._error(
                f"evaluate must return one finite number, but for {what} it returned {value!r:.80}"
            )
        return score

    def _error(self, message: str) -> SearchError:
        return SearchError(message, self._report(message))

    def _report(self, stopped: str) -> BlockReport:
        return BlockReport(
            plan=self._objective.plan(self._removed),
            candidates=self._candidates,
            kept=residuals_kept(self._objective.graph),
            metric=self._evaluate.name,
            higher_is_better=self._evaluate.higher_is_better,
            score=self._progress.score,
            original_cost=self._objective.original_cost,
            limits=self._objective.limits,
            steps=tuple(self._progress.steps),
            refused=self._refused,
            stopped=stopped,
            model=self._net,
        )


def _without(net: keras.Model, name: str) -> keras.Model:
    graph = trace(net)
    return prune(graph, KeepPlan(graph.fingerprint, removed=(name,)))
