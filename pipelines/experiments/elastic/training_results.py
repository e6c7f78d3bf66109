"""What the trainings of a ladder leave: scores of all rungs, and epochs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.records import Record
from pipelines.stages.evaluation import score
from pipelines.stages.history import History
from pipelines.stages.metric import MetricDescription

if TYPE_CHECKING:
    from tfelastic import ElasticModel, Metric
    from tfelastic.data import Split


@dataclass(frozen=True)
class OutputScores(Record):
    """What one of several outputs is scored by, and its score of every rung on the test examples."""

    metric: MetricDescription
    scores: dict[str, float]


@dataclass(frozen=True)
class JointlyTrained(Record):
    """The score of every rung on the test examples, of several outputs each one's, and the epochs of the training."""

    scores: dict[str, float]
    outputs: dict[str, OutputScores]
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


def output_scores(net: "ElasticModel", test: "Split", metric: "Metric") -> dict[str, OutputScores]:
    """Return each output's scores where a weighted sum of several scores the nets; else nothing."""
    from tfelastic.metrics import OutputMetric, WeightedSum

    if not isinstance(metric, WeightedSum):
        return {}
    found = {}
    for name, part in metric.outputs.items():
        alone = WeightedSum({name: OutputMetric(part.metric, 1.0)}, metric.output_names)
        scores = {rung: score(net.rung(rung), test, alone) for rung in net.names}
        found[name] = OutputScores(MetricDescription.of(part.metric), scores)
    return found


def summary(scores: Mapping[str, float], metric: "Metric") -> str:
    """Return the scores of all rungs in one line."""
    shown = MetricDescription.of(metric)
    return f"{shown.title}: {'  '.join(f'{name} {shown.show(s)}' for name, s in scores.items())}"
