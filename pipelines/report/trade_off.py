"""The score against what it costs, with the Pareto front: the picture by which nets are chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.report.figures import FIRST, PAPER, canvas
from pipelines.report.numbers import TimeUnit
from pipelines.stages import MetricDescription

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The least that an axis of shares spans, in points.
_LEAST_POINTS = 3.0
#: More names than these would cover one another.
_READABLE = 9


@dataclass(frozen=True)
class Point:
    """A net in the picture: its score and what it costs, in whatever unit; `high_cost` is a high percentile of it."""

    name: str
    score: float
    cost: float
    high_cost: float | None = None


def pareto_front(points: Sequence[Point], *, sign: int) -> tuple[Point, ...]:
    """Return the points than which no other costs less at no worse a score, or as much at a better one.

    Args:
        points: The nets.
        sign: 1 where a higher score is better, else -1.
    """

    def is_beaten(one: Point) -> bool:
        value = (sign * one.score, -one.cost)
        others = ((sign * each.score, -each.cost) for each in points)
        return any(
            other != value and other[0] >= value[0] and other[1] >= value[1] for other in others
        )

    return tuple(each for each in points if not is_beaten(each))


def draw_points(axes: "Axes", points: Sequence[Point], metric: MetricDescription) -> None:
    """Draw a dot at each point, a whisker to its high percentile, and the front; a beaten one is hollow."""
    front = pareto_front(points, sign=metric.sign)
    corners = sorted((each.cost, metric.scale * each.score) for each in front)
    axes.step(
        [cost for cost, _ in corners],
        [reached for _, reached in corners],
        where="post",
        color=FIRST,
        linewidth=1.0,
        linestyle="-",
        alpha=0.5,
        zorder=1,
    )
    for number, each in enumerate(points):
        reached = metric.scale * each.score
        if each.high_cost is not None:
            axes.plot(
                [each.cost, each.high_cost], [reached] * 2, "-", color=FIRST, lw=1.5, alpha=0.6
            )
            axes.plot([each.high_cost], [reached], marker="|", color=FIRST, markersize=8)
        inside, edge = (FIRST, PAPER) if each in front else (PAPER, FIRST)
        axes.plot([each.cost], [reached], "o", color=inside, markersize=8, markeredgecolor=edge)
        if len(points) <= _READABLE or number in (0, len(points) - 1):
            place = (each.cost, reached)
            axes.annotate(each.name, place, (0, -16), textcoords="offset points", ha="center")
    axes.set_xlim(0, 1.12 * max(each.high_cost or each.cost for each in points))
    if metric.is_share:
        axes.set_ylim(*_share_range(axes.dataLim.y0, axes.dataLim.y1))
    else:
        axes.margins(y=0.2)
    axes.grid(axis="y")


def draw_trade_off(
    latencies: Sequence[Point],
    metric: MetricDescription,
    others: Mapping[str, Sequence[Point]] | None = None,
) -> "Figure":
    """Draw the score against the latency, in microseconds, and against `others`, by what they are called."""
    unit = TimeUnit.of(max(each.cost for each in latencies))
    scaled = [Point(p.name, p.score, p.cost / unit.microseconds) for p in latencies]
    panels = {f"median latency of one run, {unit.name}": scaled, **(others or {})}
    figure, axes_of = canvas(7.2, 3.6, columns=len(panels))
    for axes, (title, points) in zip(axes_of, panels.items(), strict=True):
        draw_points(axes, points, metric)
        axes.set_xlabel(title)
    axes_of[0].set_ylabel(metric.axis)
    return figure


def _share_range(low: float, high: float) -> tuple[float, float]:
    """Return an axis, in percent, that lets no difference of a few test examples look like a cliff."""
    margin = max(0.2 * (high - low), (_LEAST_POINTS - (high - low)) / 2)
    top = min(high + margin, 100.2)
    return min(low - margin, top - _LEAST_POINTS), top
