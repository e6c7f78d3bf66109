"""How figures are written: the same on the page, in its pictures and on the terminal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TimeUnit:
    """The unit that a run's latencies read best in."""

    name: str
    microseconds: int
    digits: int

    @classmethod
    def of(cls, metrics: Mapping[str, Any]) -> "TimeUnit":
        """Return milliseconds where the slowest variant takes some, and else microseconds."""
        slowest = max(variant["latency_us"]["p90"] for variant in metrics["variants"])
        return cls("ms", 1000, 2) if slowest >= 2000 else cls("µs", 1, 0)

    def show(self, microseconds: float) -> str:
        """Return a latency in this unit, without the unit."""
        return f"{microseconds / self.microseconds:,.{self.digits}f}"


def percent(share: float, digits: int = 2) -> str:
    """Return a share of 1 as a percentage, with a thin space before the sign."""
    return f"{100 * share:.{digits}f}\u2009%"


def kilobytes(count: int) -> str:
    """Return bytes in kilobytes of 1,000, to the tenth, without the unit."""
    return f"{count / 1000:,.1f}"


def millions(count: int) -> str:
    """Return a count in millions, without the word."""
    return f"{count / 1e6:,.2f}"


def minutes(seconds: float) -> str:
    """Return seconds as minutes and seconds, `2:05`."""
    whole, rest = divmod(round(seconds), 60)
    return f"{whole}:{rest:02}"
