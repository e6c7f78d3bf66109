"""`Metric`: how the outputs of a model are scored against labels."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from tfelastic.metrics.score import Score


class Metric(ABC):
    """Scores outputs against labels.

    It works on NumPy arrays, so it scores what Keras, LiteRT or any other runtime returns, by the same rule.

    Attributes:
        name: What the score is called.
        higher_is_better: Whether a higher value is better.
    """

    name: str
    higher_is_better: bool = True

    def __call__(self, y_true: Any, y_pred: Any) -> Score:
        """Return the score of outputs.

        Args:
            y_true: The labels of `N` examples, `[N, ...]`; for several outputs nested as they are.
            y_pred: The outputs, `[N, ...]`; for several outputs a list, or a dict by name.

        Raises:
            DataError: Shapes or values of labels and outputs do not fit each other or the metric.
        """
        return Score(self.name, self.value(y_true, y_pred), self.higher_is_better)

    @abstractmethod
    def value(self, y_true: Any, y_pred: Any) -> float:
        """Return the score's value; takes and raises what calling the metric does."""

    def per_example(self, y_true: Any, y_pred: Any) -> np.ndarray | None:
        """Return numbers `[N]`, one per example, whose mean is the value; `None` where there are none.

        Two models are compared in pairs by them. Takes and raises what calling the metric does.
        """
        del y_true, y_pred
        return None

    def agreement(self, first: Any, second: Any) -> float | None:
        """Return the share of decisions that two models' outputs have in common, 0 to 1; `None` without decisions.

        Args:
            first: One model's outputs, as when the metric is called.
            second: The other's.
        """
        del first, second
        return None

    def correct(self, y_true: Any, y_pred: Any) -> np.ndarray | None:
        """Return which examples are right, bool `[N]`; `None` where examples are not either right or wrong."""
        del y_true, y_pred
        return None


class AdditiveMetric(Metric):
    """A metric that follows from sums over the examples, so that a data set can be scored part by part."""

    @abstractmethod
    def sums(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Return the sums over the examples, float64; those of two parts add up to those of both.

        Takes and raises what calling the metric does.
        """

    @abstractmethod
    def value_of(self, sums: np.ndarray) -> float:
        """Return the value that follows from sums."""

    def value(self, y_true: Any, y_pred: Any) -> float:
        """Return the score's value."""
        return self.value_of(self.sums(y_true, y_pred))

    def score_of(self, sums: np.ndarray) -> Score:
        """Return the score that follows from sums."""
        return Score(self.name, self.value_of(sums), self.higher_is_better)
