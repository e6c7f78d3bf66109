"""The pictures of what a run's variants are made of, and of how they and the selector behave."""

from typing import TYPE_CHECKING, Any

from pipelines.experiments.elastic.mask_examples import MaskExamples
from pipelines.experiments.elastic.metrics import ElasticMetrics
from pipelines.experiments.elastic.simulation import Simulation
from pipelines.report.figures import COLORS, FIRST, MUTED, PAPER, SECOND, canvas
from pipelines.stages import MetricDescription

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Blue, orange, green, purple, olive, red, cyan, grey: read on light and on dark paper.
_CLASSES = ("#1f5fbf", "#f0a35e", "#22774a", "#8d3f9e", "#b5a642", "#cc3344", "#55b5c9", "#8a8f98")


def draw_bytes(metrics: ElasticMetrics) -> "Figure":
    """Draw the score against the size of the file, and against the memory, where that is known."""
    panels = [(".tflite, kB", [each.tflite_bytes for each in metrics.variants])]
    arenas = [each.arena_bytes for each in metrics.variants]
    peaks = [each.peak_bytes for each in metrics.variants]
    if None not in arenas:
        panels.append(("smallest arena of TFLM, kB", [each or 0 for each in arenas]))
    elif None not in peaks:
        panels.append(("activations at the peak, kB", [each or 0 for each in peaks]))
    figure, axes_of = canvas(7.2, 3.0, columns=len(panels))
    for axes, (title, sizes) in zip(axes_of, panels, strict=True):
        reached = [metrics.metric.scale * each.score_tflite for each in metrics.variants]
        kilobytes = [size / 1000 for size in sizes]
        axes.plot(kilobytes, reached, color=FIRST, linewidth=1.2, linestyle="-", alpha=0.6)
        axes.plot(kilobytes, reached, "o", color=FIRST, markeredgecolor=PAPER, markersize=7)
        for each, size, score in zip(metrics.variants, kilobytes, reached, strict=True):
            axes.annotate(
                each.name, (size, score), (0, -14), textcoords="offset points", ha="center"
            )
        axes.set_xlabel(title)
        axes.margins(0.12, 0.25)
        axes.set_xlim(left=0)
        axes.grid(axis="y")
    axes_of[0].set_ylabel(metrics.metric.axis)
    return figure


def draw_schemes(metrics: ElasticMetrics) -> "Figure":
    """Draw each variant's score in float and as exported, joined by a line."""
    exported = (*metrics.variants, *metrics.left_out)
    figure, (axes,) = canvas(7.2, 1.0 + 0.34 * len(exported), columns=1)
    scale = metrics.metric.scale
    for row, each in enumerate(exported):
        pair = [scale * each.score_keras, scale * each.score_tflite]
        axes.plot(pair, [row, row], color=MUTED, linewidth=1.5, linestyle="-")
        axes.plot(pair[:1], [row], "s", color=SECOND, label=None if row else "float, Keras")
        scheme = metrics.recipe["export"]["scheme"]
        axes.plot(pair[1:], [row], "o", color=FIRST, label=None if row else f"{scheme}, LiteRT")
    axes.set_yticks(range(len(exported)), [each.name for each in exported])
    axes.invert_yaxis()
    axes.margins(0.1, 0.25)
    axes.set_xlabel(metrics.metric.axis)
    axes.grid(axis="x")
    figure.legend(frameon=False, loc="outside upper center", ncols=2)
    return figure


def draw_simulation(simulation: Simulation, metric: MetricDescription) -> "Figure":
    """Draw, for each trace, misses and mean score of the policy, the references and every variant on its own."""
    traces = simulation.traces
    names = [each.name for each in traces[0].choosers]
    figure, panels = canvas(7.2, 1.4 + 0.45 * len(traces), columns=2)
    for axes, measure in zip(panels, ("misses", "mean_score"), strict=True):
        for number, name in enumerate(names):
            values = [getattr(trace.choosers[number], measure) for trace in traces]
            scaled = [(100 if measure == "misses" else metric.scale) * each for each in values]
            _dots(axes, scaled, number, name)
        axes.set_yticks(range(len(traces)), [trace.trace for trace in traces])
        axes.invert_yaxis()
        axes.margins(0.05, 0.15)
        axes.grid(axis="x")
    panels[0].set_xlabel("runs over the budget, %")
    # No axis that makes a cliff of nothing.
    most = max(each.misses for trace in traces for each in trace.choosers)
    panels[0].set_xlim(-0.05 * max(1.0, 100 * most), 1.1 * max(1.0, 100 * most))
    panels[1].set_xlabel(f"average {metric.axis}")
    panels[1].set_yticks([])
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, frameon=False, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _dots(axes: "Axes", values: list[float], number: int, name: str) -> None:
    """Draw a chooser's values, one a row; the policy stands out."""
    style: dict[str, Any]
    if name == "policy":
        style = {"marker": "D", "color": SECOND, "markersize": 9.0, "zorder": 3}
    else:
        others = "osv^P*X<>"
        style = {
            "marker": others[number % len(others)],
            "color": COLORS[number % len(COLORS)],
            "markersize": 5.0,
            "alpha": 0.8,
        }
    axes.plot(values, range(len(values)), linestyle="none", label=name, **style)


def draw_masks(masks: MaskExamples) -> "Figure":
    """Draw test images beside the true and the predicted class of every pixel."""
    from matplotlib.colors import ListedColormap

    examples = masks.examples
    columns = ("input", "truth", *examples[0].predicted)
    figure, panels = canvas(7.2, 7.2 / len(columns) * len(examples), columns=1)
    panels[0].remove()
    grid = figure.subplots(len(examples), len(columns), squeeze=False)
    count = max(len(masks.classes), 2)
    colors = ListedColormap([_CLASSES[number % len(_CLASSES)] for number in range(count)])
    for row, example in zip(grid, examples, strict=True):
        image = example.image.array
        grey = image.ndim == 3 and image.shape[-1] == 1
        shown = image[..., 0] if grey else image
        row[0].imshow(shown, cmap="gray" if grey else None, vmin=0, vmax=255)
        for axes, mask in zip(row[1:], (example.truth, *example.predicted.values()), strict=True):
            axes.imshow(
                mask.array, cmap=colors, vmin=-0.5, vmax=count - 0.5, interpolation="nearest"
            )
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, title in zip(grid[0], columns, strict=True):
        axes.set_title(title)
    return figure
