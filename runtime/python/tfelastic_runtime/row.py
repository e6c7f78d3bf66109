"""A row of the policy's table: what is known of one variant on this device."""

from __future__ import annotations

from dataclasses import dataclass

from tfelastic_runtime.errors import ProfileError

MICROSECONDS_MAX = (1 << 31) - 1
"""The largest latency and budget, 35 minutes: their product with any slowdown fits in 64 bits."""
SCORE_ORDER_MAX = (1 << 31) - 1


@dataclass(frozen=True)
class Row:
    """What the policy knows of one variant.

    Attributes:
        score_order: The variant's score as an integer of 32 bits; a better one is larger.
        p50_us: Median latency in microseconds, measured on this device.
        p90_us: Latency in microseconds that nine runs of ten kept.
        switch_us: Time in microseconds to make the variant ready, on top of the run itself; 0 where
            it is resident, or where that time is unknown.
    """

    score_order: int
    p50_us: int
    p90_us: int
    switch_us: int = 0

    def __post_init__(self) -> None:
        if not -SCORE_ORDER_MAX <= self.score_order <= SCORE_ORDER_MAX:
            raise ProfileError(
                f"score_order must lie in {-SCORE_ORDER_MAX} .. {SCORE_ORDER_MAX}, "
                f"received {self.score_order}"
            )
        if not 1 <= self.p50_us <= self.p90_us <= MICROSECONDS_MAX:
            raise ProfileError(
                f"latencies must satisfy 1 <= p50_us <= p90_us <= {MICROSECONDS_MAX}, "
                f"received p50_us={self.p50_us}, p90_us={self.p90_us}"
            )
        if not 0 <= self.switch_us <= MICROSECONDS_MAX:
            raise ProfileError(
                f"switch_us must lie in 0 .. {MICROSECONDS_MAX}, received {self.switch_us}"
            )
