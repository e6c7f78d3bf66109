"""The picture of `tfelastic prune --compare`: what each mode leaves, and how it got there."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Blue, red, green and yellow that the colour-blind can tell apart too.
_COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44")
# So many groups have room for their names.
_READABLE = 16


def draw(report: Mapping[str, Any], *, file_format: str) -> bytes:
    """Return the picture of a comparison: bars over maps of the pruning traces.

    Args:
        report: What `pipelines.cli.mode_comparison.compare` returned.
        file_format: `svg` or `png`.
    """
    import matplotlib
    from matplotlib.figure import Figure

    modes = report["modes"]
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tfelastic"}):
        figure = Figure(figsize=(11, 7), layout="constrained")
        grid = figure.add_gridspec(2, len(modes), height_ratios=(1, 1.1))
        _bars(figure.add_subplot(grid[0, :]), report)
        for column, (mode, row) in enumerate(modes.items()):
            axes = figure.add_subplot(grid[1, column])
            _map(axes, report["groups"], row["pruning_trace"]["steps"])
            axes.set_title(f"{mode}, step by step", loc="left", fontsize=10)
            if column:
                axes.set_yticks([])
            else:
                axes.set_ylabel("groups, first to last; bright: channels stay")
        file = io.BytesIO()
        metadata = {"Date": None} if file_format == "svg" else None
        figure.savefig(file, format=file_format, metadata=metadata)
    return file.getvalue()


def _bars(axes: "Axes", report: Mapping[str, Any]) -> None:
    original, modes = report["original"], report["modes"]
    middles = np.arange(len(original))
    width = 0.8 / len(modes)
    for number, (mode, row) in enumerate(modes.items()):
        left = [100 * row["costs"][name] / original[name] for name in original]
        places = middles + (number - (len(modes) - 1) / 2) * width
        bars = axes.bar(places, left, 0.9 * width, color=_COLORS[number], label=mode)
        axes.bar_label(bars, fmt="%.0f", fontsize=8)
    limits = ", ".join(f"{name} {limit:,.0f}" for name, limit in report["limits"].items())
    axes.set_title(f"{report['model']}: what each mode leaves within {limits}", loc="left")
    axes.set_xticks(middles, list(original))
    axes.set_ylabel("% of the original's")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=len(modes), loc="lower right", bbox_to_anchor=(1, 1))


def _map(axes: "Axes", sizes: Mapping[str, int], steps: Sequence[Mapping[str, Any]]) -> None:
    """Draw the share of each group's units that stays, step by step: groups down, steps to the right."""
    rows = {group: row for row, group in enumerate(sizes)}
    kept = np.ones((len(sizes), len(steps) + 1))
    for number, step in enumerate(steps, start=1):
        kept[rows[step["group"]], number:] = step["keep"] / sizes[step["group"]]
    axes.imshow(kept, aspect="auto", interpolation="nearest", vmin=0, vmax=1, cmap="viridis")
    axes.set_xlabel(f"{len(steps)} steps")
    shown = list(sizes) if len(sizes) <= _READABLE else []
    axes.set_yticks(range(len(shown)), shown, fontsize=7)
