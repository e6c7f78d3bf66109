"""What a removal of blocks found: the orders of removal, every candidate, depth beside width, and the result."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.experiments.block_removal.block_search import BUDGET, DIRECT, UNTUNED, BlockSearch
from pipelines.experiments.block_removal.depth_vs_width import DepthStep, TimedNet
from pipelines.experiments.block_removal.final_training import BASELINE, FULL, PRUNED
from pipelines.experiments.block_removal.metrics import BlockRemovalMetrics
from pipelines.report import Content, KeyFigure, NetSummary, Section, Table
from pipelines.report.layers import layer_sections
from pipelines.report.numbers import (
    change,
    difference,
    interval_note,
    kilobytes,
    millions,
    percent,
    ratio,
    score,
)
from pipelines.report.trade_off import Point, draw_trade_off
from pipelines.stages import MetricDescription, PairedDifference

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the orders of removal are called where people read.
TITLES = {
    "direct": "direct removal",
    "random": "random blocks",
    "smallest": "smallest weights",
}
#: What follows each step, by the prefix of the search's name: the table's title, and the picture's.
_AFTER_EACH_STEP = {
    "": ("With fine-tuning after each step", "fine-tuned"),
    UNTUNED: (
        "With BatchNorm statistics measured anew after each step, and nothing trained",
        "not fine-tuned",
    ),
}
_NETS = {BASELINE: "full", FULL: "full, trained on", PRUNED: "pruned"}


def content(metrics: BlockRemovalMetrics) -> Content:
    """Return the report's content."""
    removed, net = len(_steps(metrics, BUDGET)), metrics.recipe["model"]["name"]
    return Content(
        headline=f"{removed} residual blocks removed from {net}, each time the one that costs least "
        f"{metrics.metric.title}",
        key_figures=tuple(_key_figures(metrics)),
        sections=tuple(_sections(metrics)),
        nets=tuple(
            NetSummary(_NETS[net.name], net.score_tflite, net.params, net.macs, net.tflite_bytes)
            for net in metrics.nets
        ),
    )


def _key_figures(metrics: BlockRemovalMetrics) -> Iterator[KeyFigure]:
    full, *_, pruned = metrics.nets
    steps = metrics.depth_vs_width
    speed = steps[0].net.latency_us / steps[-1].net.latency_us
    metric = metrics.metric
    apart = change(metric, pruned.against_baseline.difference)
    unit = f"points of {metric.title}" if metric.is_share else f"{metric.title}{metric.direction}"
    yield KeyFigure(percent(1 - pruned.params / full.params, 1), "of the parameters removed")
    yield KeyFigure(apart, f"{unit} against the full net")
    yield KeyFigure(percent(1 - pruned.macs / full.macs, 1), "of the MACs removed")
    yield KeyFigure(f"{speed:.2f}×", "as fast on this machine")


def _sections(metrics: BlockRemovalMetrics) -> Iterator[Section]:
    orders, depth, result = map(tuple, (_orders(metrics), _depth(metrics), _result(metrics)))
    metric, searches = metrics.metric, metrics.searches
    title = f"{metric.title[0].upper()}{metric.title[1:]} against blocks removed"
    yield Section(title, orders, lambda: _draw(metrics))
    yield Section(
        "Every candidate at every step",
        draw=lambda: _draw_candidates(metric, searches[DIRECT]),
        caption=f"The {metric.title} on the validation examples without each block, before fine-tuning: the "
        "stronger the colour, the higher; framed, the block that went. Empty: gone before.",
    )
    yield Section("Down to the budget", depth, lambda: _draw_candidates(metric, searches[BUDGET]))
    yield Section(
        f"{metric.title[0].upper()}{metric.title[1:]} against latency",
        draw=lambda: draw_trade_off(tuple(_points(metrics)), metric),
        caption="The net of every step down to the budget, by how many blocks are gone; the line is the Pareto front, "
        "a hollow dot is beaten by another net in both.",
        machine_bound=True,
    )
    yield Section("The result", result)
    yield from layer_sections(metrics.layers)


def _points(metrics: BlockRemovalMetrics) -> Iterator[Point]:
    reached = (metrics.test_baseline, *metrics.searches[BUDGET].tests)
    for step, value in zip(metrics.depth_vs_width, reached, strict=True):
        yield Point(str(step.blocks), value, step.net.latency_us)


def _steps(metrics: BlockRemovalMetrics, name: str) -> Sequence[Mapping[str, Any]]:
    steps: list[Mapping[str, Any]] = metrics.searches[name].search["steps"]
    return steps


def _orders(metrics: BlockRemovalMetrics) -> Iterator[str]:
    metric = metrics.metric
    lead = metrics.searches["random"].lead[0]
    yield (
        f"Candidates are measured on {metrics.validation_images:,} examples held out of the training ones. Below is "
        f"the {metric.title} on {metrics.test_examples:,} test examples{metric.direction}; the full net reaches "
        f"{score(metric, metrics.test_baseline)} there. In brackets the 95 % interval of direct removal's difference, "
        f"{interval_note(metric, lead)}."
    )
    for prefix, (title, _) in _AFTER_EACH_STEP.items():
        searches = {order: metrics.searches[prefix + order] for order in TITLES}
        yield from ("", f"{title}:", "")
        yield from _steps_beside(metric, searches)
        yield ""
        for order, search in searches.items():
            if search.lead:
                yield _leads(metric, order, search.lead)


def _steps_beside(metric: MetricDescription, searches: Mapping[str, BlockSearch]) -> Iterator[str]:
    """Yield a table: a row for each step, the orders side by side."""
    full = searches[DIRECT].search["original_cost"]
    rows = []
    for number, step in enumerate(searches[DIRECT].search["steps"]):
        row = [str(number + 1), step["removed"]]
        row += [percent(step["spent"][key] / full[key], 1) for key in ("params", "macs")]
        for search in searches.values():
            row.append(score(metric, search.tests[number]))
            row += [difference(metric, pair) for pair in search.lead[number : number + 1]]
        rows.append(tuple(row))
    headings = ["blocks removed", "removed last", "params", "MACs"]
    for order, search in searches.items():
        headings += [TITLES[order], "lead"] if search.lead else [TITLES[order]]
    yield from Table(tuple(headings), tuple(rows)).markdown()


def _leads(metric: MetricDescription, order: str, pairs: Sequence[PairedDifference]) -> str:
    ahead = sum(metric.sign * pair.difference > 0 for pair in pairs)
    sure = sum(min(metric.sign * pair.low, metric.sign * pair.high) > 0 for pair in pairs)
    return (
        f"- Direct removal is ahead of {TITLES[order]} at {ahead} of {len(pairs)} steps, at {sure} of them with "
        "the entire interval on that side of zero."
    )


def _depth(metrics: BlockRemovalMetrics) -> Iterator[str]:
    per = metrics.recipe["block_removal"]["per"]
    title = metrics.metric.title
    what = f"{title} lost" + (" per share of the cost saved" if per == "saving" else "")
    yield (
        f"Direct removal until the budget is met, weighing candidates by the {what}, with fine-tuning after each step; "
        f"the {title} is on the same test examples as above. Beside each step's net stands the full net with all "
        "channels cut evenly to no more MACs. Speeds are ratios of medians on this machine, taking turns; proportional "
        "speed would be one over the share of the MACs."
    )
    yield ""
    headings = ("blocks removed", "removed last", "params", title, "MACs", "proportional")
    removed = ("–", *(step["removed"] for step in _steps(metrics, BUDGET)))
    reached = (metrics.test_baseline, *metrics.searches[BUDGET].tests)
    steps = metrics.depth_vs_width
    rows = tuple(
        (str(step.blocks), name, *_depth_row(step, steps[0].net, score(metrics.metric, value)))
        for step, name, value in zip(steps, removed, reached, strict=True)
    )
    yield from Table((*headings, "speed", "width cut, MACs", "speed"), rows).markdown()


def _depth_row(step: DepthStep, full: TimedNet, reached: str) -> tuple[str, ...]:
    def share(net: TimedNet) -> str:
        return percent(net.macs / full.macs, 1)

    def speed(net: TimedNet) -> str:
        return ratio(full.latency_us / net.latency_us)

    net, width = step.net, step.width_cut
    beside = (share(width), speed(width)) if width else ("–", "–")
    params = percent(net.params / full.params, 1)
    return (
        params,
        reached,
        share(net),
        ratio(full.macs / net.macs),
        speed(net),
        *beside,
    )


def _result(metrics: BlockRemovalMetrics) -> Iterator[str]:
    final, nets = metrics.recipe["block_removal"]["final_training"], metrics.nets
    metric = metrics.metric
    more = "1 more epoch" if final["epochs"] == 1 else f"{final['epochs']} more epochs"
    teacher = " with the full net as it was before for a teacher" if final["distillation"] else ""
    yield (
        f"The net within the budget, trained for {more}{teacher}; so was the full net. Keras and "
        f"{metrics.recipe['export']['scheme']}: the {metric.title}{metric.direction}. In brackets the 95 % interval "
        "of the difference from the full net as it was before, "
        f"{interval_note(metric, nets[-1].against_baseline)}."
    )
    yield ""
    headings = ("net", "params", "MACs (M)", ".tflite (kB)", "Keras", "difference")
    rows = tuple(
        (
            _NETS[net.name],
            f"{net.params:,} ({percent(net.params / nets[0].params, 1)})",
            millions(net.macs),
            kilobytes(net.tflite_bytes),
            score(metric, net.score_keras),
            difference(metric, net.against_baseline) if net is not nets[0] else "–",
            score(metric, net.score_tflite),
        )
        for net in nets
    )
    yield from Table((*headings, metrics.recipe["export"]["scheme"]), rows).markdown()


def _draw(metrics: BlockRemovalMetrics) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    from pipelines.report.figures import canvas

    figure, panels = canvas(7.2, 3.6, columns=len(_AFTER_EACH_STEP))
    for axes, (prefix, (_, title)) in zip(panels, _AFTER_EACH_STEP.items(), strict=True):
        for (order, name), marker in zip(TITLES.items(), "os^", strict=True):
            tests = metrics.searches[prefix + order].tests
            reached = [metrics.metric.scale * each for each in (metrics.test_baseline, *tests)]
            axes.plot(range(len(reached)), reached, marker=marker, markersize=4, label=name)
        axes.set_title(title)
        axes.set_xlabel("blocks removed")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
    panels[0].set_ylabel(metrics.metric.axis)
    panels[0].legend(frameon=False)
    return figure


def _draw_candidates(metric: MetricDescription, found: BlockSearch) -> "Figure":
    from pipelines.report.figures import canvas, heat_map, mark

    steps, candidates = found.search["steps"], found.search["candidates"]
    figure, (axes,) = canvas(7.2, 1.2 + 0.17 * len(candidates), columns=1)
    values = [value for step in steps for value in step["scores"].values()]
    low, high = min(values), max(values)
    heat_map(
        axes,
        (
            (number + 0.5, candidates.index(name), 1.0, (value - low) / max(high - low, 1e-9))
            for number, step in enumerate(steps)
            for name, value in step["scores"].items()
        ),
    )
    for number, step in enumerate(steps):
        mark(axes, number + 0.5, candidates.index(step["removed"]), 1.0)
    axes.set_yticks(range(len(candidates)), candidates, fontsize=7)
    axes.set_xticks(range(1, len(steps) + 1))
    axes.set_xlabel(f"step (faintest {score(metric, low)}, strongest {score(metric, high)})")
    return figure
