"""The report's sections on layers and blocks: what each costs, and what is left of it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.report.content import Section
from pipelines.report.figures import FIRST, INK, PAPER, canvas, heat_map
from pipelines.report.text import Table
from pipelines.stages.layer_costs import LayerCosts, LayerFigures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def layer_sections(costs: LayerCosts | None, *, of: str = "") -> Iterator[Section]:
    """Yield what every layer costs and keeps, and which blocks stay, where the run counted them.

    Args:
        costs: The layers of several nets.
        of: What the nets have in common, where a run has several such sections.
    """
    if costs is None or not costs.layers:
        return
    yield Section(
        f"Layer by layer{of and ', '}{of}",
        draw=lambda: _draw_layers(costs),
        caption="What each layer multiplies before and after, and how many channels it gives in each net.",
        figures=tuple(_layers(costs)),
    )
    if costs.blocks and any(costs.removed.values()):
        yield Section(
            f"Blocks kept{of and ', '}{of}",
            draw=lambda: _draw_blocks(costs),
            caption="The residual blocks that can be removed: filled where a net keeps one.",
        )


def _layers(costs: LayerCosts) -> Iterator[str]:
    first, last = costs.rungs[0], costs.rungs[-1]
    headings = ("layer", "kind", "channels", "params", "MACs")
    yield f"From {first} to {last}."
    yield ""
    rows = tuple(_layer(each) for each in costs.layers)
    yield from Table(headings, rows).markdown()


def _layer(layer: LayerFigures) -> tuple[str, ...]:
    def ends(values: tuple[int, ...]) -> str:
        return f"{values[0]:,} → {values[-1]:,}" if values[0] != values[-1] else f"{values[0]:,}"

    # A bar would end the cell.
    path = layer.path.replace("|", "/")
    return (path, layer.kind, ends(layer.channels), ends(layer.params), ends(layer.macs))


def _draw_layers(costs: LayerCosts) -> "Figure":
    """Draw each layer's MACs in the first and the last net, and the share of channels that each net keeps."""
    layers = costs.layers
    figure, (macs, kept) = canvas(7.2, 1.1 + 0.19 * len(layers), columns=2)
    rows = range(len(layers))
    most = max((max(each.macs) for each in layers), default=0)
    unit, name = (1e6, "million MACs") if most >= 1e6 else (1e3, "thousand MACs")
    wide = [each.macs[0] / unit for each in layers]
    narrow = [each.macs[-1] / unit for each in layers]
    macs.barh(rows, wide, 0.7, color=FIRST, alpha=0.35, label=costs.rungs[0])
    macs.barh(rows, narrow, 0.7, color=FIRST, label=costs.rungs[-1])
    macs.set_yticks(rows, [_short(each.path) for each in layers], fontsize=7)
    macs.invert_yaxis()
    macs.margins(y=0.01)
    macs.set_xlabel(f"{name}: {costs.rungs[0]} faint, {costs.rungs[-1]} strong")
    heat_map(
        kept,
        (
            (column, row, 1.0, each.channels[column] / max(each.channels[0], 1))
            for row, each in enumerate(layers)
            for column in range(len(costs.rungs))
        ),
    )
    for row, each in enumerate(layers):
        for column, count in enumerate(each.channels):
            share = count / max(each.channels[0], 1)
            ink = PAPER if share > 0.55 else INK
            kept.text(
                column + 0.5, row, str(count), color=ink, fontsize=6.5, ha="center", va="center"
            )
    kept.set_yticks([])
    kept.set_xticks(_middles(costs), costs.rungs, fontsize=8)
    kept.set_title("channels kept")
    return figure


def _short(path: str) -> str:
    return path if len(path) <= 24 else f"…{path[-23:]}"


def _draw_blocks(costs: LayerCosts) -> "Figure":
    """Draw which residual blocks each net keeps."""
    figure, (axes,) = canvas(7.2, 1.0 + 0.22 * len(costs.blocks), columns=1)
    heat_map(
        axes,
        (
            (column, row, 1.0, float(block not in costs.removed[rung]))
            for row, block in enumerate(costs.blocks)
            for column, rung in enumerate(costs.rungs)
        ),
    )
    axes.set_yticks(range(len(costs.blocks)), costs.blocks, fontsize=7)
    axes.set_xticks(_middles(costs), costs.rungs)
    return figure


def _middles(costs: LayerCosts) -> list[float]:
    return [column + 0.5 for column in range(len(costs.rungs))]
