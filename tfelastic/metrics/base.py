"""`Metric`: how the outputs of a model are scored against labels."""

import contextlib
import math
from abc import ABC, abstractmethod
from typing import Any

import keras
import numpy as np

from tfelastic.metrics.score import Score


class Metric(ABC):
    """Scores outputs against labels.

    It works on NumPy arrays, so it scores what Keras, LiteRT or any other runtime returns, by the same rule.

    Attributes:
        name: What the score is called.
        higher_is_better: Whether a higher value is better.
        is_share: Whether the best value is 1 and a worthless one near 0, so that losses are counted in points.
    """

    name: str
    higher_is_better: bool = True
    is_share: bool = False

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

    def unit(self, y_true: Any, y_pred: Any) -> float:
        """Return what a loss of the score is measured in, so that one bound serves metrics of any unit.

        It is 1 for a share. Otherwise it is the absolute score of the outputs or, where that is larger, of their mean
        given as the answer to every example: of a mean error the spread of the labels, or the error itself.
        """
        if self.is_share:
            return 1.0
        constant = keras.tree.map_structure(_mean_for_each, y_pred)
        scores = [abs(self.value(y_true, y_pred))]
        with contextlib.suppress(ArithmeticError, ValueError):
            scores.append(abs(self.value(y_true, constant)))
        return max((score for score in scores if 0 < score < math.inf), default=1.0)

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


def _mean_for_each(outputs: Any) -> np.ndarray:
    values = np.asarray(outputs)
    mean = values.mean(axis=0, dtype=np.float64).astype(values.dtype)
    return np.asarray(np.broadcast_to(mean, values.shape))
