"""What a run of an elastic network found: its variants, what the selector chose, and the methods compared."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.experiments.elastic.comparison import GROWN, INDEPENDENT, JOINT, ComparedRung
from pipelines.experiments.elastic.details import pictured, simulated, sizes_and_schemes
from pipelines.experiments.elastic.metrics import ElasticMetrics
from pipelines.experiments.elastic.pictures import draw_methods, draw_selector, draw_trade_off
from pipelines.report import Content, KeyFigure, NetSummary, Section, Table
from pipelines.report.layers import layer_sections
from pipelines.report.numbers import (
    TimeUnit,
    difference,
    interval_note,
    kilobytes,
    millions,
    percent,
    ratio,
    score,
)
from pipelines.stages import MetricDescription

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the methods are called where people read.
TITLES = {INDEPENDENT: "independently", JOINT: "jointly", GROWN: "grown"}
_ELASTIC = (JOINT, GROWN)


def content(metrics: ElasticMetrics) -> Content:
    """Return the report's content."""
    return Content(
        headline=f"One elastic network of {len(metrics.variants) + len(metrics.left_out)} variants",
        key_figures=tuple(_key_figures(metrics)),
        sections=tuple(_sections(metrics)),
        nets=tuple(
            NetSummary(
                each.name,
                each.score_tflite,
                each.params,
                each.macs,
                each.tflite_bytes,
                each.p50_us,
            )
            for each in metrics.variants
        ),
        curves="On the training examples, augmented where the recipe says so. The loss of all widths together also "
        "counts what the narrow ones differ from the widest, so the two losses are not of one kind.",
    )


def _key_figures(metrics: ElasticMetrics) -> Iterator[KeyFigure]:
    widest, narrowest = metrics.variants[0], metrics.variants[-1]
    scheme, share = metrics.recipe["export"]["scheme"], percent(narrowest.macs / widest.macs, 0)
    metric = metrics.metric
    alone = f"the net trained alone, float: {metric.title}{metric.direction}"
    yield KeyFigure(score(metric, metrics.baseline.score), alone)
    yield KeyFigure(score(metric, widest.score_tflite), f"widest variant, {scheme}")
    if narrowest is not widest:
        narrow = f"narrowest, at {share} of the MACs"
        yield KeyFigure(score(metric, narrowest.score_tflite), narrow)
    held = (
        "all variants in it" if not metrics.left_out else f"{len(metrics.variants)} of them in it"
    )
    yield KeyFigure(f"{kilobytes(metrics.bundle_bytes)} kB", f"the bundle, {held}")


def _sections(metrics: ElasticMetrics) -> Iterator[Section]:
    def trade_off() -> "Figure":
        return draw_trade_off(metrics)

    title = metrics.metric.title
    yield Section("Variants", tuple(_variants(metrics)))
    yield Section(
        f"{title[0].upper()}{title[1:]} against latency",
        tuple(_latencies(metrics)),
        trade_off,
        "The line is the Pareto front; a hollow dot is beaten by another variant in both. Dashed: the same net trained "
        "alone, in float. Dotted: the budgets that the selector ran under.",
        machine_bound=True,
    )
    yield from sizes_and_schemes(metrics)
    yield Section(
        "What the selector chose",
        tuple(_selector(metrics)),
        lambda: draw_selector(metrics),
        "The share of the requests that each variant ran, by budget.",
        machine_bound=True,
    )
    yield from simulated(metrics)
    yield from layer_sections(metrics.layers)
    yield from pictured(metrics)
    if metrics.comparison:
        rungs = metrics.comparison
        yield Section(
            "Methods to train the rungs",
            tuple(_methods(metrics, rungs)),
            lambda: draw_methods(metrics, TITLES),
        )


def _variants(metrics: ElasticMetrics) -> Iterator[str]:
    """Yield the variants; speeds are ratios to the widest one's median, measured side by side in the same run."""
    scheme, metric = metrics.recipe["export"]["scheme"], metrics.metric
    yield f"Keras and {scheme}: the {metric.title} on the test examples{metric.direction}."
    yield ""
    headings = ("variant", "width", "params", "MACs (M)", ".tflite (kB)", "Keras", scheme, "speed")
    first = metrics.variants[0].p50_us
    speeds = {each.name: ratio(first / each.p50_us) for each in metrics.variants}
    rows = (
        (
            each.name,
            f"{each.width:.2f}",
            f"{each.params:,}",
            millions(each.macs),
            kilobytes(each.tflite_bytes),
            score(metric, each.score_keras),
            score(metric, each.score_tflite),
            speeds.get(each.name, "–"),
        )
        for each in (*metrics.variants, *metrics.left_out)
    )
    yield from Table(headings, tuple(rows)).markdown()
    yield ""
    if metrics.outputs:
        yield from _outputs(metrics)
        yield ""
    for each in (*metrics.variants, *metrics.left_out):
        if each.strays:
            out = each in metrics.left_out and each.name not in metrics.redundant
            what = "left out of the bundle" if out else "kept as asked"
            yield f"- {each.name} strays from its Keras model and was {what}: {each.strays}."
    for name, reason in metrics.redundant.items():
        yield f"- {name} was left out of the bundle: {reason}. `export.keep_all` keeps it."


def _outputs(metrics: ElasticMetrics) -> Iterator[str]:
    """Yield the scores by output that the one score of a variant adds up."""
    found = metrics.outputs
    yield "Output by output, in Keras:"
    yield ""
    headings = (
        f"{name}: {each.metric.title}{each.metric.direction}" for name, each in found.items()
    )
    rows = (
        (variant.name, *(score(each.metric, each.scores[variant.name]) for each in found.values()))
        for variant in metrics.variants
    )
    yield from Table(("variant", *headings), tuple(rows)).markdown()


def _latencies(metrics: ElasticMetrics) -> Iterator[str]:
    unit, machine = time_unit(metrics), metrics.profile
    yield (
        f"Measured on this machine, {machine.threads} thread{'s' if machine.threads > 1 else ''}, "
        f"{machine.runs:,} runs of each variant in turns."
    )
    yield ""
    rows = (
        (each.name, unit.show(each.p50_us), unit.show(each.p90_us)) for each in metrics.variants
    )
    yield from Table(
        ("variant", f"p50 ({unit.name})", f"p90 ({unit.name})"), tuple(rows)
    ).markdown()


def time_unit(metrics: ElasticMetrics) -> TimeUnit:
    """Return the unit that the variants' latencies read best in."""
    return TimeUnit.of(max(variant.p90_us for variant in metrics.variants))


def _selector(metrics: ElasticMetrics) -> Iterator[str]:
    unit = time_unit(metrics)
    yield (
        "Every request is one test example. Under each budget the selector runs the variant of the best "
        f"{metrics.metric.title} that it expects to keep the budget on nine requests of ten."
    )
    yield ""
    headings = (f"budget ({unit.name})", "p50", "p90", metrics.metric.title, "variants that ran")
    rows = (
        (
            unit.show(row.budget_us),
            unit.show(row.p50_us),
            unit.show(row.p90_us),
            score(metrics.metric, row.score),
            ", ".join(f"{name} {count:,}" for name, count in row.variant_counts.items()),
        )
        for row in metrics.selector
    )
    yield from Table(headings, tuple(rows)).markdown()


def _methods(metrics: ElasticMetrics, rungs: tuple[ComparedRung, ...]) -> Iterator[str]:
    """Yield the lines that compare the methods."""
    epochs = metrics.recipe["elastic"]["epochs"]
    yield (
        f"Both elastic networks and each rung's net trained independently, all from the same baseline and for {epochs} "
        f"epochs each (prune-and-grow: per level). {_teachers(metrics.recipe)} The {metrics.metric.title} on the test "
        f"examples{metrics.metric.direction}; in brackets the 95 % interval of the difference from the net trained "
        f"independently, {interval_note(metrics.metric, rungs[0].methods[JOINT].against_independent)}."
    )
    yield ""
    headings = ["rung", "params", "share", "MACs (M)", TITLES[INDEPENDENT]]
    for method in _ELASTIC:
        headings += [TITLES[method], "difference"]
    headings += [f"{title}, {metrics.recipe['export']['scheme']}" for title in TITLES.values()]
    rows = tuple(_method_row(metrics.metric, each, rungs[0].params) for each in rungs)
    yield from Table(tuple(headings), rows).markdown()
    yield ""
    yield from _verdicts(metrics.metric, rungs)
    yield ""
    yield from _drops(metrics, rungs)


def _teachers(recipe: Mapping[str, Any]) -> str:
    joint = "the widest one's outputs" if recipe["elastic"]["distillation"] else "the labels"
    grown = "the labels and the original" if recipe["comparison"]["distillation"] else "the labels"
    return f"Jointly, narrower rungs learn from {joint}; grown, each level learns from {grown}."


def _method_row(
    metric: MetricDescription, rung: ComparedRung, widest_params: int
) -> tuple[str, ...]:
    methods = rung.methods
    cells = [
        rung.name,
        f"{rung.params:,}",
        percent(rung.params / widest_params, 1),
        millions(rung.macs),
        score(metric, methods[INDEPENDENT].score_keras),
    ]
    for method in _ELASTIC:
        found = methods[method]
        cells += [
            score(metric, found.score_keras),
            difference(metric, found.against_independent),
        ]
    return (*cells, *(score(metric, methods[method].score_tflite) for method in TITLES))


def _verdicts(metric: MetricDescription, rungs: tuple[ComparedRung, ...]) -> Iterator[str]:
    """Yield a line on each thing that an elastic network is measured by."""
    widest, narrowest = rungs[0].methods, rungs[-1].methods
    original = widest[INDEPENDENT].score_keras
    for method in _ELASTIC:
        pairs = [each.methods[method].against_independent for each in rungs]
        as_good = sum(metric.sign * pair.difference >= 0 for pair in pairs)
        yield (
            f"- {TITLES[method]}: the widest rung is {difference(metric, pairs[0])} from the same net trained "
            f"independently; the narrowest is {_behind(metric, original, narrowest[method].score_keras)} the widest "
            f"net trained independently; {as_good} of {len(rungs)} rungs are as good as their independent net or "
            "better."
        )


def _behind(metric: MetricDescription, original: float, reached: float) -> str:
    """Return how far a score is from an original one: `2.00 points below`."""
    apart = metric.scale * (original - reached)
    where = "below" if apart >= 0 else "above"
    return f"{abs(apart):.2f} points {where}" if metric.is_share else f"{abs(apart):.3g} {where}"


def _drops(metrics: ElasticMetrics, rungs: tuple[ComparedRung, ...]) -> Iterator[str]:
    """Yield the table of what each rung loses against the original, ours beside the published."""
    published = metrics.recipe["comparison"]["published"]
    known = published["rungs"] if published and metrics.metric.is_share else {}
    original = metrics.baseline.score
    rows = []
    for each in rungs:
        if each.name in known:
            ours = [100 * (original - each.methods[m].score_keras) for m in _ELASTIC]
            theirs = published["original"] - known[each.name]
            rows.append((each.name, *(f"{drop:.2f}" for drop in (*ours, theirs))))
    if rows:
        yield (
            f"Points below the original ({score(metrics.metric, original)} here, {published['original']:.2f} % in "
            f"{published['source']}, on the lossless images):"
        )
        yield ""
        yield from Table(("rung", "jointly", "grown", "published"), tuple(rows)).markdown()
        yield ""
