"""The pictures of a run of an elastic network."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.experiments.elastic.metrics import ElasticMetrics, VariantFigures
from pipelines.report.figures import COLORS, FIRST, MUTED, PAPER, SECOND, canvas
from pipelines.report.numbers import TimeUnit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The least that an axis of shares spans, in points.
_LEAST_POINTS = 3.0


def draw_trade_off(metrics: ElasticMetrics) -> "Figure":
    """Draw the score against latency: a dot at each variant's median, a whisker to its p90, and the Pareto front.

    A variant that another one beats in both is a hollow dot.
    """
    figure, (axes,) = canvas(7.2, 3.6, columns=1)
    unit = TimeUnit.of(max(variant.p90_us for variant in metrics.variants))
    metric = metrics.metric
    front = pareto_front(metrics)
    corners = sorted((each.p50_us / unit.microseconds, each.score_tflite) for each in front)
    axes.step(
        [latency for latency, _ in corners],
        [metric.scale * reached for _, reached in corners],
        where="post",
        color=FIRST,
        linewidth=1.0,
        linestyle="-",
        alpha=0.5,
        zorder=1,
    )
    for variant in metrics.variants:
        p50, p90 = variant.p50_us / unit.microseconds, variant.p90_us / unit.microseconds
        reached = metric.scale * variant.score_tflite
        axes.plot([p50, p90], [reached, reached], "-", color=FIRST, linewidth=1.5, alpha=0.6)
        axes.plot([p90], [reached], marker="|", color=FIRST, markersize=8)
        inside, edge = (FIRST, PAPER) if variant in front else (PAPER, FIRST)
        axes.plot([p50], [reached], "o", color=inside, markersize=8, markeredgecolor=edge)
        axes.annotate(
            variant.name, (p50, reached), (0, -16), textcoords="offset points", ha="center"
        )
    dashes = (0, (5, 3))
    axes.axhline(
        metric.scale * metrics.baseline.score,
        color=SECOND,
        linewidth=1.2,
        linestyle=dashes,
        zorder=1,
    )
    for row in metrics.selector:
        _draw_budget(axes, row.budget_us, unit)
    axes.set_xlabel(f"latency of one run, {unit.name} (dot: median, bar: p90)")
    axes.set_ylabel(metric.axis)
    axes.set_xlim(left=0)
    if metric.is_share:
        axes.set_ylim(*_share_range(axes.dataLim.y0, axes.dataLim.y1))
    else:
        axes.margins(y=0.2)
    axes.grid(axis="y")
    return figure


def pareto_front(metrics: ElasticMetrics) -> tuple[VariantFigures, ...]:
    """Return the variants than which no other has both a shorter median and at least the score, or the reverse."""
    sign = metrics.metric.sign

    def is_beaten(one: VariantFigures) -> bool:
        value = (sign * one.score_tflite, -one.p50_us)
        others = ((sign * each.score_tflite, -each.p50_us) for each in metrics.variants)
        return any(
            other != value and other[0] >= value[0] and other[1] >= value[1] for other in others
        )

    return tuple(each for each in metrics.variants if not is_beaten(each))


def _share_range(low: float, high: float) -> tuple[float, float]:
    """Return an axis, in percent, that lets no difference of a few test examples look like a cliff."""
    margin = max(0.2 * (high - low), (_LEAST_POINTS - (high - low)) / 2)
    top = min(high + margin, 100.2)
    return min(low - margin, top - _LEAST_POINTS), top


def _draw_budget(axes: "Axes", budget_us: float, unit: TimeUnit) -> None:
    budget = budget_us / unit.microseconds
    axes.axvline(budget, color=MUTED, linewidth=0.9, linestyle=(0, (1, 3)), zorder=1)
    axes.annotate(
        unit.show(budget_us),
        (budget, 1),
        (0, 3),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center",
        color=MUTED,
        fontsize=8,
    )


def draw_selector(metrics: ElasticMetrics) -> "Figure":
    """Draw a bar for each budget, split by the variants that ran."""
    unit = TimeUnit.of(max(variant.p90_us for variant in metrics.variants))
    figure, (axes,) = canvas(7.2, 1.0 + 0.35 * len(metrics.selector), columns=1)
    for number, variant in enumerate(metrics.variants):
        shares = [
            100 * row.variant_counts.get(variant.name, 0) / row.requests for row in metrics.selector
        ]
        before = [
            100
            * sum(row.variant_counts.get(wider.name, 0) for wider in metrics.variants[:number])
            / row.requests
            for row in metrics.selector
        ]
        color, hatch = COLORS[number % len(COLORS)], "/" * (number // len(COLORS))
        axes.barh(range(len(shares)), shares, 0.7, before, color=color, hatch=hatch)
        axes.plot([], [], "s", color=color, label=variant.name)
    budgets = [f"{unit.show(row.budget_us)} {unit.name}" for row in metrics.selector]
    axes.set_yticks(range(len(budgets)), budgets)
    axes.invert_yaxis()
    axes.set_xlabel("% of the requests")
    axes.set_xlim(0, 100)
    figure.legend(frameon=False, loc="outside upper center", ncols=len(metrics.variants))
    return figure


def draw_methods(metrics: ElasticMetrics, titles: Mapping[str, str]) -> "Figure":
    """Draw each method's score against the share of parameters."""
    rungs, metric = metrics.comparison or (), metrics.metric
    shares = [100 * each.params / rungs[0].params for each in rungs]
    figure, (axes,) = canvas(7.2, 3.4, columns=1)
    for (method, title), marker in zip(titles.items(), "so^", strict=True):
        reached = [metric.scale * each.methods[method].score_keras for each in rungs]
        axes.plot(shares, reached, marker=marker, label=title)
    axes.set_xlabel("parameters, % of the widest net's")
    axes.set_ylabel(metric.axis)
    axes.legend(frameon=False)
    return figure
