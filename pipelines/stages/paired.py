"""Two nets on the same test images: how far apart they are, and how sure that is."""

import math
from dataclasses import dataclass

import numpy as np

from pipelines.records import Record

#: The normal distribution's quantile for a two-sided interval of 95 %.
_Z = 1.959964


@dataclass(frozen=True)
class PairedDifference(Record):
    """How often one net is right where the other is wrong, on images that both saw.

    Attributes:
        images: How many images both saw.
        gained: How many of them the first net got right and the second wrong.
        lost: How many the second got right and the first wrong.

    Example:
        >>> pair = PairedDifference(images=1000, gained=30, lost=50)
        >>> pair.points
        -2.0
        >>> low, high = pair.interval
        >>> round(low, 2), round(high, 2)
        (-3.75, -0.25)
    """

    images: int
    gained: int
    lost: int

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray) -> "PairedDifference":
        """Compare which images two nets classify correctly, bool `[images]` each."""
        return cls(len(first), int((first & ~second).sum()), int((second & ~first).sum()))

    @property
    def points(self) -> float:
        """The first net's accuracy less the second's, in percentage points."""
        return 100 * (self.gained - self.lost) / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `points` over samples of as many images.

        Images on which both agree do not bear on the difference, so it is far narrower than the intervals of
        the two accuracies would be (Wald's interval for paired proportions, as in McNemar's test).
        """
        net = self.gained - self.lost
        spread = math.sqrt(self.gained + self.lost - net**2 / self.images) / self.images
        return self.points - 100 * _Z * spread, self.points + 100 * _Z * spread
