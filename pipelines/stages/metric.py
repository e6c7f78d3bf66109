"""What the nets of a run are scored by, as plain data that a report reads without Keras."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.records import Record

if TYPE_CHECKING:
    from tfelastic import Metric

_TITLES = {"mae": "mean absolute error", "mean_iou": "mean IoU", "r2": "R²"}
#: Metrics whose values are shares of 1, which people read as percentages.
_SHARES = ("accuracy", "binary_accuracy", "pixel_accuracy", "mean_iou")


@dataclass(frozen=True)
class MetricDescription(Record):
    """A metric's name and direction, and how its values are written.

    Examples:
        >>> accuracy = MetricDescription("accuracy", higher_is_better=True)
        >>> accuracy.show(0.98765), MetricDescription("mae", higher_is_better=False).show(0.98765)
        ('98.77 %', '0.9877')
    """

    name: str
    higher_is_better: bool

    @classmethod
    def of(cls, metric: "Metric") -> "MetricDescription":
        """Describe a metric."""
        return cls(metric.name, metric.higher_is_better)

    @property
    def title(self) -> str:
        """What people call it."""
        return _TITLES.get(self.name, self.name.replace("_", " "))

    @property
    def direction(self) -> str:
        """A remark where lower is better, else nothing."""
        return "" if self.higher_is_better else " (lower is better)"

    @property
    def is_share(self) -> bool:
        """Whether its values are shares of 1, written as percentages; their differences are points."""
        return self.name in _SHARES

    @property
    def scale(self) -> int:
        """What a value is multiplied by where it is written or drawn."""
        return 100 if self.is_share else 1

    @property
    def sign(self) -> int:
        """What a difference is multiplied by so that better is more."""
        return 1 if self.higher_is_better else -1

    @property
    def unit(self) -> str:
        """What differences are counted in."""
        return "points" if self.is_share else "the metric's unit"

    @property
    def axis(self) -> str:
        """What an axis of its values is called."""
        return f"{self.title}, %" if self.is_share else f"{self.title}{self.direction}"

    def show(self, value: float) -> str:
        """Return a value as people read it."""
        return f"{100 * value:.2f} %" if self.is_share else f"{value:.4g}"
