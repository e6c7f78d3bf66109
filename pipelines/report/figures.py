"""The report's pictures, as SVG that takes its colours from the page around it.

Every colour drawn is a stand-in that is replaced by a CSS variable, so one picture reads well on a
light page and on a dark one.
"""

import io
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from pipelines.stages.history import HELD_OUT, History, watched

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER, *COLORS = (f"#01020{digit}" for digit in range(1, 10))
FIRST, SECOND = COLORS[:2]

_CSS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
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
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 10,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "legend.labelcolor": INK,
}


def picture(draw: Callable[[], "Figure"], *, name: str, label: str) -> str:
    """Return what `draw` draws as an SVG element.

    Args:
        draw: Called while the page's style holds, it takes its colours from the cycle.
        name: Leads every id, so that they differ from other pictures'.
        label: What is seen, for those who cannot.
    """
    with _drawing():
        return _svg(draw(), name, label)


def curves(trainings: Mapping[str, History]) -> str:
    """Draw the loss and what the task watches on the training examples against the epoch, for every training."""
    kinds = _kinds(trainings)
    label = f"{' and '.join(map(_title, kinds))} in training against the epoch"
    return picture(lambda: _curves(trainings, kinds), name="curves", label=label)


def _kinds(trainings: Mapping[str, History]) -> tuple[str, ...]:
    """Return the figures to draw: the loss, and those that the first training with epochs has."""
    first = next((history[0] for history in trainings.values() if history), {})
    return ("loss", *watched(first))


def _title(kind: str) -> str:
    return kind.replace("_", " ")


def _curves(trainings: Mapping[str, History], kinds: tuple[str, ...]) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    figure, panels = canvas(7.2, 2.6 if len(trainings) == 2 else 3.2, columns=len(kinds))
    for axes, kind in zip(panels, kinds, strict=True):
        share = kind.endswith("accuracy")
        scale = 100 if share else 1
        for label, history in trainings.items():
            epochs, values = _curve(history, kind, scale)
            (line,) = axes.plot(epochs, values, linewidth=1.6, label=label)
            epochs, values = _curve(history, f"{HELD_OUT}{kind}", scale)
            if epochs:
                style = {"color": line.get_color(), "linestyle": ":", "linewidth": 1.6}
                axes.plot(epochs, values, label=f"{label}, held out", **style)
        axes.set_title(_title(kind) if kind == "loss" else _watched_title(kind, share=share))
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
    if len(panels[-1].lines) > 2:
        handles = panels[-1].get_legend_handles_labels()
        figure.legend(*handles, frameon=False, loc="outside lower center", ncols=4, fontsize=8)
    else:
        panels[-1].legend(frameon=False, loc="lower right" if share else "upper right")
    return figure


def _curve(history: History, kind: str, scale: int) -> tuple[list[float], list[float]]:
    """Return the epochs that have a figure, and the figure in each, multiplied by `scale`."""
    known = [epoch for epoch in history if kind in epoch]
    return [epoch["epoch"] for epoch in known], [scale * epoch[kind] for epoch in known]


def _watched_title(kind: str, *, share: bool) -> str:
    return f"{_title(kind)} in training{', %' if share else ''}"


def heat_map(axes: "Axes", cells: Iterable[tuple[float, float, float, float]]) -> None:
    """Draw a map in one colour, the darker the higher.

    Args:
        axes: Where to draw; its y-axis runs downwards, whole numbers are the cells' middles.
        cells: Left edge, middle height, width and value of each, the value from 0 to 1.
    """
    for left, y, width, value in cells:
        axes.barh(y, width, 1.0, left, color=FIRST, alpha=0.06 + 0.94 * value, linewidth=0)
    axes.invert_yaxis()
    axes.margins(0)


def mark(axes: "Axes", left: float, y: float, width: float) -> None:
    """Frame a cell of a heat map."""
    axes.barh(y, width, 1.0, left, fill=False, edgecolor=SECOND, linewidth=1.5)


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
