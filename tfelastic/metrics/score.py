"""`Score`: how good outputs are, as one number with its name and direction."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfelastic.errors import DataError


@dataclass(frozen=True)
class Score:
    """The value of a metric.

    Attributes:
        name: The metric's name, such as `"accuracy"`.
        value: The metric's value, in its own unit.
        higher_is_better: Whether a higher value is better.

    Raises:
        DataError: The value is not finite.

    Examples:
        >>> import tfelastic as te
        >>> print(te.Score("mae", 0.25, higher_is_better=False))
        mae 0.25 (lower is better)
    """

    name: str
    value: float
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise DataError(f"the score {self.name!r} must be finite, received {self.value}")

    @property
    def signed(self) -> float:
        """The value, negated where lower is better: the better of two scores of one metric has the larger one."""
        return self.value if self.higher_is_better else -self.value

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        direction = "" if self.higher_is_better else " (lower is better)"
        return f"{self.name} {self.value:.6g}{direction}"

    def to_json(self) -> dict[str, Any]:
        """Return the score as plain data."""
        return {
            "name": self.name,
            "value": self.value,
            "higher_is_better": self.higher_is_better,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Score":
        """Return the score that `to_json` gave.

        Raises:
            DataError: The data are no score.
        """
        try:
            return cls(str(data["name"]), float(data["value"]), bool(data["higher_is_better"]))
        except (KeyError, TypeError, ValueError) as cause:
            raise DataError(
                "a score is an object with 'name', 'value' and 'higher_is_better', "
                f"received {data!r:.120}"
            ) from cause
