"""Metrics: what "right" means for a model's outputs, decided in one place for every task.

A `Metric` works on NumPy arrays, so Keras, LiteRT and any other runtime are scored by the same rule; `metric_of` says
which metric is a model's, and a `Score` is a metric's value with its name and direction.
"""

from tfelastic.metrics.base import AdditiveMetric, Metric
from tfelastic.metrics.choice import MetricLike, metric_of
from tfelastic.metrics.classification import BinaryAccuracy, ClassAccuracy, MeanIoU
from tfelastic.metrics.composite import FunctionMetric, KerasMetric, OutputMetric, WeightedSum
from tfelastic.metrics.endings import Ending, Kind, endings_of, kinds_of
from tfelastic.metrics.evaluator import Accuracy, Evaluator, score_of
from tfelastic.metrics.regression import R2, MeanAbsoluteError
from tfelastic.metrics.score import Score

__all__ = [
    "R2",
    "Accuracy",
    "AdditiveMetric",
    "BinaryAccuracy",
    "ClassAccuracy",
    "Ending",
    "Evaluator",
    "FunctionMetric",
    "KerasMetric",
    "Kind",
    "MeanAbsoluteError",
    "MeanIoU",
    "Metric",
    "MetricLike",
    "OutputMetric",
    "Score",
    "WeightedSum",
    "endings_of",
    "kinds_of",
    "metric_of",
    "score_of",
]
