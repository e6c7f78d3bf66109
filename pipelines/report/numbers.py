"""How figures are written: the same on the page, in its pictures and on the terminal."""

from dataclasses import dataclass

from pipelines.stages import MetricDescription, PairedDifference


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


def score(metric: MetricDescription, value: float) -> str:
    """Return a metric's value; of a share with a thin space before the sign."""
    return metric.show(value).replace(" ", "\u2009")


def change(metric: MetricDescription, value: float) -> str:
    """Return by how much two scores differ, with its sign: of shares in points."""
    return f"{100 * value:+.2f}" if metric.is_share else f"{value:+.3g}"


def difference(metric: MetricDescription, pair: PairedDifference) -> str:
    """Return a paired difference with its 95 % interval in brackets."""
    low, high = change(metric, pair.low), change(metric, pair.high)
    return f"{change(metric, pair.difference)} [{low}, {high}]"


def apart(metric: MetricDescription, pair: PairedDifference) -> str:
    """Return a paired difference with its interval and, of shares, the word points."""
    return f"{difference(metric, pair)}{' points' if metric.is_share else ''}"


def interval_note(metric: MetricDescription, pair: PairedDifference) -> str:
    """Return what the 95 % interval of a difference is, as a half-sentence."""
    kinds = {
        "wald": "Wald's for paired proportions",
        "t": "Student's for the mean of the differences",
        "bootstrap": "by a paired bootstrap",
    }
    return f"in {metric.unit}, paired over the test examples ({kinds[pair.interval]})"
