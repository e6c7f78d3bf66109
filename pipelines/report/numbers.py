"""How figures are written: the same on the page, in its pictures and on the terminal."""

from dataclasses import dataclass

from pipelines.stages import PairedDifference


@dataclass(frozen=True)
class TimeUnit:
    """The unit that a run's latencies read best in."""

    name: str
    microseconds: int
    digits: int

    @classmethod
    def of(cls, slowest_us: float) -> "TimeUnit":
        """Return milliseconds where the slowest variant takes some, and else microseconds."""
        return cls("ms", 1000, 2) if slowest_us >= 2000 else cls("µs", 1, 0)

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
    full, rest = divmod(round(seconds), 60)
    return f"{full}:{rest:02}"


def ratio(value: float) -> str:
    """Return how many times as much, `1.50x`."""
    return f"{value:.2f}x"


def difference(pair: PairedDifference) -> str:
    """Return a paired difference in points, with its 95 % interval in brackets."""
    low, high = pair.interval
    return f"{pair.points:+.2f} [{low:+.2f}, {high:+.2f}]"
