"""The pictures of a run of an elastic network."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.experiments.elastic.metrics import ElasticMetrics
from pipelines.report.figures import COLORS, MUTED, SECOND, canvas
from pipelines.report.numbers import TimeUnit
from pipelines.report.trade_off import Point, draw_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_trade_off(metrics: ElasticMetrics) -> "Figure":
    """Draw the score against latency, the net trained alone, and the budgets that the selector ran under."""
    figure, (axes,) = canvas(7.2, 3.6, columns=1)
    unit = TimeUnit.of(max(variant.p90_us for variant in metrics.variants))
    metric, scale = metrics.metric, unit.microseconds
    alone = metric.scale * metrics.baseline.score
    axes.axhline(alone, color=SECOND, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1)
    points = [
        Point(each.name, each.score_tflite, each.p50_us / scale, each.p90_us / scale)
        for each in metrics.variants
    ]
    draw_points(axes, points, metric)
    for row in metrics.selector:
        _draw_budget(axes, row.budget_us, unit)
    largest = max((row.budget_us for row in metrics.selector), default=0) / scale
    axes.set_xlim(right=max(axes.get_xlim()[1], 1.05 * largest))
    axes.set_xlabel(f"latency of one run, {unit.name} (dot: median, bar: p90)")
    axes.set_ylabel(metric.axis)
    return figure


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
