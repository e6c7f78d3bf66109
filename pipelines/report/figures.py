"""The report's pictures, as SVG that takes its colours from the page around it.

Every colour drawn is a stand-in that is replaced by a CSS variable, so one picture reads well on a
light page and on a dark one.
"""

import io
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from pipelines.report.units import TimeUnit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _MUTED, _GRID, _PAPER, *COLORS = (f"#01020{digit}" for digit in range(1, 10))
_FIRST, _SECOND = COLORS[:2]

_CSS = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _GRID: "var(--grid)",
    _PAPER: "var(--paper)",
    **{
        color: f"var(--{place})"
        for color, place in zip(
            COLORS, ("first", "second", "third", "fourth", "fifth"), strict=True
        )
    },
}

_STYLE: dict[str, Any] = {
    "axes.prop_cycle": f"cycler(linestyle=['-', '--']) * cycler(color={COLORS!r})",
    "svg.fonttype": "none",
    "svg.hashsalt": "tfelastic",
    "font.size": 10,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _MUTED,
    "axes.titlesize": 10,
    "axes.titlecolor": _INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "text.color": _INK,
    "legend.labelcolor": _INK,
}

#: The least that the axis of the accuracy spans, in points.
_LEAST_POINTS = 3.0


def picture(draw: Callable[[], "Figure"], *, name: str, label: str) -> str:
    """Return what `draw` draws as an SVG element.

    Args:
        draw: Called while the page's style holds, it takes its colours from the cycle.
        name: Leads every id, so that they differ from other pictures'.
        label: What is seen, for those who cannot.
    """
    with _drawing():
        return _svg(draw(), name, label)


def trade_off(metrics: Mapping[str, Any]) -> str:
    """Draw accuracy against latency: a dot at each variant's median, a whisker to its p90."""
    label = "accuracy against latency of every variant"
    return picture(lambda: _trade_off(metrics), name="trade-off", label=label)


def _trade_off(metrics: Mapping[str, Any]) -> "Figure":
    figure, (axes,) = canvas(7.2, 3.6, columns=1)
    unit = TimeUnit.of(metrics)
    for variant in metrics["variants"]:
        p50, p90 = (variant["latency_us"][key] / unit.microseconds for key in ("p50", "p90"))
        reached = 100 * variant["accuracy_tflite"]
        axes.plot([p50, p90], [reached, reached], color=_FIRST, linewidth=1.5, alpha=0.6)
        axes.plot([p90], [reached], marker="|", color=_FIRST, markersize=8)
        axes.plot([p50], [reached], marker="o", color=_FIRST, markersize=8, markeredgecolor=_PAPER)
        axes.annotate(
            variant["name"], (p50, reached), (0, -16), textcoords="offset points", ha="center"
        )
    axes.axhline(
        100 * metrics["baseline"]["accuracy"],
        color=_SECOND,
        linewidth=1.2,
        linestyle=(0, (5, 3)),
        zorder=1,
    )
    for row in metrics["selector"]:
        _draw_budget(axes, row["budget_us"], unit)
    axes.set_xlabel(f"latency of one image, {unit.name} (dot: median, bar: p90)")
    axes.set_ylabel("accuracy, %")
    axes.set_xlim(left=0)
    axes.set_ylim(*_accuracy_range(axes.dataLim.y0, axes.dataLim.y1))
    axes.grid(axis="y")
    return figure


def _accuracy_range(low: float, high: float) -> tuple[float, float]:
    """Return an axis that lets no difference of a few test images look like a cliff."""
    margin = max(0.2 * (high - low), (_LEAST_POINTS - (high - low)) / 2)
    top = min(high + margin, 100.2)
    return min(low - margin, top - _LEAST_POINTS), top


def _draw_budget(axes: "Axes", budget_us: float, unit: "TimeUnit") -> None:
    budget = budget_us / unit.microseconds
    axes.axvline(budget, color=_MUTED, linewidth=0.9, linestyle=(0, (1, 3)), zorder=1)
    axes.annotate(
        unit.show(budget_us),
        (budget, 1),
        (0, 3),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center",
        color=_MUTED,
        fontsize=8,
    )


def curves(metrics: Mapping[str, Any]) -> str:
    """Draw loss and accuracy on the training images against the epoch, for every training."""
    label = "loss and accuracy in training against the epoch"
    return picture(lambda: _curves(metrics), name="curves", label=label)


def _curves(metrics: Mapping[str, Any]) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    trainings = _trainings(metrics)
    figure, panels = canvas(7.2, 2.6 if len(trainings) == 2 else 3.2, columns=2)
    for axes, kind, scale in zip(panels, ("loss", "accuracy"), (1, 100), strict=True):
        for label, history in trainings.items():
            known = [epoch for epoch in history if kind in epoch]
            epochs = [epoch["epoch"] for epoch in known]
            values = [scale * epoch[kind] for epoch in known]
            axes.plot(epochs, values, linewidth=1.6, label=label)
        axes.set_title("loss" if kind == "loss" else "accuracy in training, %")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
    if len(panels[1].lines) > 2:
        handles = panels[1].get_legend_handles_labels()
        figure.legend(*handles, frameon=False, loc="outside lower center", ncols=4, fontsize=8)
    else:
        panels[1].legend(frameon=False, loc="lower right")
    return figure


def _trainings(metrics: Mapping[str, Any]) -> dict[str, Any]:
    if "elastic" not in metrics:
        return {"the whole net": metrics["baseline"]["history"], **metrics["trainings"]}
    return {
        "all widths together": metrics["elastic"]["history"],
        "the net alone": metrics["baseline"]["history"],
    }


def heat_map(axes: "Axes", cells: Iterable[tuple[float, float, float, float]]) -> None:
    """Draw a map in one colour, the darker the higher.

    Args:
        axes: Where to draw; its y-axis runs downwards, whole numbers are the cells' middles.
        cells: Left edge, middle height, width and value of each, the value from 0 to 1.
    """
    for left, y, width, value in cells:
        axes.barh(y, width, 1.0, left, color=_FIRST, alpha=0.06 + 0.94 * value, linewidth=0)
    axes.invert_yaxis()
    axes.margins(0)


def mark(axes: "Axes", left: float, y: float, width: float) -> None:
    """Frame a cell of a heat map."""
    axes.barh(y, width, 1.0, left, fill=False, edgecolor=_SECOND, linewidth=1.5)


def _drawing() -> AbstractContextManager[None]:
    import matplotlib

    context: AbstractContextManager[None] = matplotlib.rc_context(_STYLE)
    return context


def canvas(width: float, height: float, *, columns: int) -> tuple["Figure", list["Axes"]]:
    """Return an empty figure, in inches, with panels side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(1, columns, squeeze=False)[0]
    figure.patch.set_visible(False)
    for axes in panels:
        axes.patch.set_visible(False)
        axes.tick_params(length=0)
    return figure, list(panels)


def _svg(figure: "Figure", name: str, label: str) -> str:
    """Return the picture as an SVG element: the page's fonts and colours, ids like no other's."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    head, body = re.search(r'viewBox="[^"]*"', text), text[text.index("<g ") :]
    body = re.sub(r"font-family: [^;\"]*(; )?", "", body)
    body = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", body)
    for stand_in, css in _CSS.items():
        body = body.replace(stand_in, css)
    view = head[0] if head else ""
    xlink = 'xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {view} {xlink} role="img" aria-label="{label}">\n{body}'
