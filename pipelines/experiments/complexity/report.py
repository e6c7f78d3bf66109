"""What pruning by complexity found: nets trained directly beside a ranked one that was fine-tuned."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.experiments.complexity.budget_comparison import (
    ComparedMethods,
    MethodFigures,
    TraceStep,
)
from pipelines.experiments.complexity.metrics import ComplexityMetrics
from pipelines.report import Content, KeyFigure, NetSummary, Section, Table
from pipelines.report.layers import layer_sections
from pipelines.report.numbers import (
    apart,
    difference,
    interval_note,
    kilobytes,
    millions,
    minutes,
    percent,
    ratio,
    score,
)
from pipelines.report.trade_off import Point, draw_trade_off
from pipelines.stages import MetricDescription

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the methods of pruning are called where people read.
TITLES = {
    "original": "original",
    "params": "PA",
    "flops": "FA",
    "memory": "MA",
    "peak": "peak",
    "ranked": "L2, fine-tuned",
}
_RESOURCES = {
    "params": "parameters",
    "macs": "MACs",
    "activation_bytes": "bytes of activations",
    "arena_bytes": "bytes of arena",
}
_BUDGETED = {**_RESOURCES, "peak_bytes": "peak of activations", "tflite_bytes": "file's bytes"}
_TRACES = "Groups downwards, steps to the right; the stronger the colour, the more of a group's channels stay."
_HEADINGS = (
    *("method", "params", "MACs", "activations (kB)", "arena (kB)", ".tflite (kB)", "speed"),
    *("training (min)", "Keras", "difference"),
)
# So many groups have room for their names.
_READABLE = 20


def content(metrics: ComplexityMetrics) -> Content:
    """Return the report's content: a section for each budget."""
    net = metrics.recipe["model"]["name"]
    return Content(
        headline=f"{net} pruned by complexity and trained once, beside pruning a trained net",
        key_figures=tuple(_key_figures(metrics)),
        sections=tuple(_sections(metrics)),
        nets=tuple(_nets(metrics)),
    )


def _sections(metrics: ComplexityMetrics) -> Iterator[Section]:
    title = metrics.metric.title
    for each in metrics.comparisons:
        drawing = functools.partial(_draw, each, metrics.groups)
        yield Section(_title(each), tuple(_compare(metrics, each)), drawing, _TRACES)
        yield Section(
            f"{title[0].upper()}{title[1:]} against latency and bytes, {_budget(each)}",
            draw=functools.partial(_draw_costs, metrics, each),
            caption="The lines are Pareto fronts; a hollow dot is beaten by another net in both.",
            machine_bound=True,
        )
    for each, layers in zip(metrics.comparisons, metrics.layers, strict=False):
        removed = {TITLES[name]: blocks for name, blocks in layers.removed.items()}
        named = replace(layers, rungs=tuple(removed), removed=removed)
        yield from layer_sections(named, of=_budget(each))


def _draw_costs(metrics: ComplexityMetrics, comparison: ComparedMethods) -> "Figure":
    """Draw the scores of the original and of a budget's nets against latency, the file and the arena."""
    rows = (metrics.original, *comparison.rows)

    def points(cost: Callable[[MethodFigures], float]) -> list[Point]:
        return [Point(TITLES[row.method], row.score_tflite, cost(row)) for row in rows]

    others = {".tflite, kB": points(lambda row: row.tflite_bytes / 1000)}
    if all(row.arena_bytes for row in rows):
        others["arena of TFLM, kB"] = points(lambda row: (row.arena_bytes or 0) / 1000)
    return draw_trade_off(points(lambda row: row.latency_us), metrics.metric, others)


def _nets(metrics: ComplexityMetrics) -> Iterator[NetSummary]:
    """Yield the original, and the nets of each budget."""
    rows = [("original", metrics.original)]
    for each in metrics.comparisons:
        rows += [(f"{TITLES[row.method]}, {_title(each)}", row) for row in each.rows]
    for name, row in rows:
        figures = (row.score_tflite, row.params, row.macs, row.tflite_bytes, row.latency_us)
        yield NetSummary(name, *figures)


def _key_figures(metrics: ComplexityMetrics) -> Iterator[KeyFigure]:
    """Yield the figures to see first, of the first budget."""
    *direct, ranked = metrics.comparisons[0].rows
    metric = metrics.metric
    best = max(direct, key=lambda row: metric.sign * row.score_keras)
    mean_seconds = sum(row.seconds for row in direct) / len(direct)
    directly = f"{TITLES[best.method]}, trained directly: {metric.title}{metric.direction}"
    yield KeyFigure(score(metric, best.score_keras), directly)
    yield KeyFigure(score(metric, ranked.score_keras), "ranked by L2, fine-tuned")
    yield KeyFigure(f"{mean_seconds / ranked.seconds:.2f}×", "of that training time, on average")
    yield KeyFigure(score(metric, metrics.baseline.score), "the original net")


def _title(comparison: ComparedMethods) -> str:
    budget = _budget(comparison)
    return f"{budget[0].upper()}{budget[1:]}"


def _budget(comparison: ComparedMethods) -> str:
    limits = (
        f"{percent(value, 0) if value <= 1 else f'{value:,.0f}'} of the {_BUDGETED[name]}"
        for name, value in comparison.budget.given.items()
    )
    return f"within {' and '.join(limits)}"


def _compare(metrics: ComplexityMetrics, comparison: ComparedMethods) -> Iterator[str]:
    recipe, metric = metrics.recipe, metrics.metric
    epochs, scheme = recipe["baseline"]["epochs"], recipe["export"]["scheme"]
    *direct, ranked = comparison.rows
    yield (
        f"All plans fit the same budget. PA, FA, MA and peak draw by the share of parameters, operations, activations "
        f"and of the arena's high-water mark ({recipe['complexity']['sampling']}); their nets are trained once, for "
        f"{epochs} epochs. The last row is the original net trained for {epochs} epochs, pruned by L2 rank and "
        f"fine-tuned for {epochs}; its training time is that of both. Keras and {scheme}: the {metric.title} on the "
        f"test examples{metric.direction}; in brackets the 95 % interval of the difference from the last row"
        f"{_interval(metric, direct)}."
    )
    yield ""
    rows = tuple(
        _row(metric, row, metrics.original) for row in (metrics.original, *comparison.rows)
    )
    yield from Table((*_HEADINGS, scheme), rows).markdown()
    yield ""
    for row in direct:
        if row.against_ranked:
            yield (
                f"- {TITLES[row.method]}: {ratio(row.seconds / ranked.seconds)} the training time of "
                f"train-prune-fine-tune, {apart(metric, row.against_ranked)} from it."
            )
    for key, resource in _RESOURCES.items():
        known = [row for row in direct if getattr(row, key) is not None]
        if len(known) > 1 and key not in comparison.budget.given:
            least = min(known, key=lambda row: int(getattr(row, key)))
            yield f"- Fewest {resource}: {TITLES[least.method]}, {getattr(least, key):,.0f}."


def _interval(metric: MetricDescription, rows: Sequence[MethodFigures]) -> str:
    pairs = [row.against_ranked for row in rows if row.against_ranked]
    return f", {interval_note(metric, pairs[0])}" if pairs else ""


def _row(metric: MetricDescription, row: MethodFigures, original: MethodFigures) -> tuple[str, ...]:
    def share(key: str, shown: str) -> str:
        return f"{shown} ({percent(getattr(row, key) / getattr(original, key), 1)})"

    arena = row.arena_bytes
    return (
        TITLES[row.method],
        share("params", f"{row.params:,}"),
        share("macs", f"{millions(row.macs)} M"),
        share("activation_bytes", kilobytes(row.activation_bytes)),
        share("arena_bytes", kilobytes(arena)) if arena and original.arena_bytes else "–",
        kilobytes(row.tflite_bytes),
        ratio(original.latency_us / row.latency_us),
        minutes(row.seconds),
        score(metric, row.score_keras),
        difference(metric, row.against_ranked) if row.against_ranked else "–",
        score(metric, row.score_tflite),
    )


def _draw(comparison: ComparedMethods, sizes: Mapping[str, int]) -> "Figure":
    """Draw the traces: groups downwards, steps to the right, the darker the more channels stay."""
    from pipelines.report.figures import canvas, heat_map

    drawn = [row for row in comparison.rows if row.steps]
    height = 1.4 + min(4.0, 0.16 * len(sizes))
    figure, panels = canvas(7.2, height, columns=max(1, len(drawn)))
    for axes, row in zip(panels, drawn, strict=False):
        heat_map(axes, _runs(row.steps, sizes))
        axes.set_title(TITLES[row.method])
        axes.set_xlabel(f"{len(row.steps)} steps")
        first = axes is panels[0]
        names = list(sizes) if first and len(sizes) <= _READABLE else []
        axes.set_yticks(range(len(names)), names, fontsize=7)
    return figure


def _runs(
    steps: Sequence[TraceStep], sizes: Mapping[str, int]
) -> Iterator[tuple[float, float, float, float]]:
    """Yield a cell for each run of steps in which a group stays as it is."""
    for place, (group, size) in enumerate(sizes.items()):
        since, kept = 0, size
        for number, step in enumerate(steps, start=1):
            if step.group == group:
                yield since, place, number - since, kept / size
                since, kept = number, step.keep
        yield since, place, len(steps) + 1 - since, kept / size
