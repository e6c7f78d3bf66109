"""What the trainings of a ladder leave: scores of all rungs, and epochs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.records import Record
from pipelines.stages.history import History
from pipelines.stages.metric import MetricDescription

if TYPE_CHECKING:
    from tfelastic import Metric


@dataclass(frozen=True)
class JointlyTrained(Record):
    """The score of every rung on the test examples, and the epochs of the one training."""

    scores: dict[str, float]
    history: History


@dataclass(frozen=True)
class TrainedIndependently(Record):
    """The score of every rung's own net on the test examples, and the epochs of each."""

    scores: dict[str, float]
    histories: dict[str, History]


@dataclass(frozen=True)
class Grown(Record):
    """The score of every rung on the test examples, and the epochs of each level, the narrowest first."""

    scores: dict[str, float]
    histories: dict[str, History]


def summary(scores: Mapping[str, float], metric: "Metric") -> str:
    """Return the scores of all rungs in one line."""
    shown = MetricDescription.of(metric)
    return f"{shown.title}: {'  '.join(f'{name} {shown.show(s)}' for name, s in scores.items())}"
