"""The score that decides between variants, and the integer that the policy compares.

A score may be any metric, so the policy cannot know its range. It compares integers that are in the
same order as the scores, taken from the bits of the nearest float32 (`runtime/SPEC.md`, section 4).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfelastic_runtime.errors import BundleError
from tfelastic_runtime.schema import Schema

SCORE_MAX = sys.float_info.max
"""Scores are finite."""

_check = Schema(BundleError)


@dataclass(frozen=True)
class ScoreSpec:
    """What the variants' scores measure.

    Attributes:
        metric: The metric's name, such as `accuracy` or `mean_absolute_error`.
        higher_is_better: Whether a larger score means a better variant.

    Examples:
        >>> accuracy = ScoreSpec("accuracy")
        >>> accuracy.order(0.5), accuracy.order(0.75), accuracy.order(-0.5)
        (1056964608, 1061158912, -1056964608)
        >>> ScoreSpec("mean_absolute_error", higher_is_better=False).order(0.5)
        -1056964608
    """

    metric: str = "accuracy"
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        _check.text(self.metric, "score.metric")
        if not isinstance(self.higher_is_better, bool):
            raise BundleError(
                f"score.higher_is_better: expected true or false, received {self.higher_is_better!r}"
            )

    def order(self, score: float) -> int:
        """Return the integer of 32 bits that the policy compares; better scores have larger ones."""
        with np.errstate(over="ignore"):
            bits = int(np.float32(score).view(np.int32))
        # The bits of floats are sign and magnitude: negative ones would rise with the magnitude.
        order = bits if bits >= 0 else -(bits & 0x7FFFFFFF)
        return order if self.higher_is_better else -order

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {"metric": self.metric, "higher_is_better": self.higher_is_better}

    @classmethod
    def from_json(cls, data: object) -> ScoreSpec:
        """Read what `to_json` wrote."""
        return cls(**_check.exactly(data, ("metric", "higher_is_better"), "score"))
