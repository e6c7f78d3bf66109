"""What a run of an elastic network found: its variants, what the selector chose, and the methods compared."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.experiments.elastic.comparison import GROWN, INDEPENDENT, JOINT, ComparedRung
from pipelines.experiments.elastic.metrics import ElasticMetrics
from pipelines.experiments.elastic.pictures import draw_methods, draw_selector, draw_trade_off
from pipelines.report import Content, KeyFigure, Section, Table
from pipelines.report.numbers import TimeUnit, difference, kilobytes, millions, percent, ratio

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the methods are called where people read.
TITLES = {INDEPENDENT: "independently", JOINT: "jointly", GROWN: "grown"}
_ELASTIC = (JOINT, GROWN)


def content(metrics: ElasticMetrics) -> Content:
    """Return the report's content."""
    return Content(
        headline=f"One elastic network of {len(metrics.variants)} widths",
        key_figures=tuple(_key_figures(metrics)),
        sections=tuple(_sections(metrics)),
        curves="On augmented training images. The loss of all widths together also counts what the narrow ones "
        "differ from the widest, so the two losses are not of one kind.",
    )


def _key_figures(metrics: ElasticMetrics) -> Iterator[KeyFigure]:
    widest, narrowest = metrics.variants[0], metrics.variants[-1]
    scheme, share = metrics.recipe["export"]["scheme"], percent(narrowest.macs / widest.macs, 0)
    yield KeyFigure(percent(metrics.baseline.accuracy), "the net trained alone, float")
    yield KeyFigure(percent(widest.accuracy_tflite), f"widest variant, {scheme}")
    yield KeyFigure(percent(narrowest.accuracy_tflite), f"narrowest, at {share} of the MACs")
    yield KeyFigure(f"{kilobytes(metrics.bundle_bytes)} kB", "the bundle, all widths in it")


def _sections(metrics: ElasticMetrics) -> Iterator[Section]:
    def trade_off() -> "Figure":
        return draw_trade_off(metrics)

    yield Section("Variants", tuple(_variants(metrics).markdown()))
    yield Section(
        "Accuracy against latency",
        tuple(_latencies(metrics)),
        trade_off,
        "Dashed: the same net trained alone, in float. Dotted: the budgets that the selector ran under.",
        machine_bound=True,
    )
    yield Section(
        "What the selector chose",
        tuple(_selector(metrics)),
        lambda: draw_selector(metrics),
        "The share of the requests that each variant ran, by budget.",
        machine_bound=True,
    )
    if metrics.comparison:
        rungs = metrics.comparison
        yield Section(
            "Methods to train the widths",
            tuple(_methods(metrics, rungs)),
            lambda: draw_methods(rungs, TITLES),
        )


def _variants(metrics: ElasticMetrics) -> Table:
    """Return the variants; speeds are ratios to the widest one's median, measured side by side in the same run."""
    scheme = metrics.recipe["export"]["scheme"]
    headings = ("variant", "width", "params", "MACs (M)", ".tflite (kB)", "Keras", scheme, "speed")
    rows = (
        (
            each.name,
            f"{each.width:.2f}",
            f"{each.params:,}",
            millions(each.macs),
            kilobytes(each.tflite_bytes),
            percent(each.accuracy_keras),
            percent(each.accuracy_tflite),
            ratio(metrics.variants[0].p50_us / each.p50_us),
        )
        for each in metrics.variants
    )
    return Table(headings, tuple(rows))


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
        "Every request is one test image. Under each budget the selector runs the most accurate variant that it "
        "expects to keep the budget on nine requests of ten."
    )
    yield ""
    headings = (f"budget ({unit.name})", "p50", "p90", "accuracy", "variants that ran")
    rows = (
        (
            unit.show(row.budget_us),
            unit.show(row.p50_us),
            unit.show(row.p90_us),
            percent(row.accuracy),
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
        f"epochs each (prune-and-grow: per level). {_teachers(metrics.recipe)} In brackets the 95 % interval of the "
        "difference from the net trained independently, in points, paired over the test images."
    )
    yield ""
    headings = ["rung", "params", "share", "MACs (M)", TITLES[INDEPENDENT]]
    for method in _ELASTIC:
        headings += [TITLES[method], "difference"]
    headings += [f"{title}, {metrics.recipe['export']['scheme']}" for title in TITLES.values()]
    rows = tuple(_method_row(each, rungs[0].params) for each in rungs)
    yield from Table(tuple(headings), rows).markdown()
    yield ""
    yield from _verdicts(rungs)
    yield ""
    yield from _drops(metrics, rungs)


def _teachers(recipe: Mapping[str, Any]) -> str:
    joint = "the widest one's outputs" if recipe["elastic"]["distillation"] else "the labels"
    grown = "the labels and the original" if recipe["comparison"]["distillation"] else "the labels"
    return f"Jointly, narrower rungs learn from {joint}; grown, each level learns from {grown}."


def _method_row(rung: ComparedRung, widest_params: int) -> tuple[str, ...]:
    methods = rung.methods
    cells = [
        rung.name,
        f"{rung.params:,}",
        percent(rung.params / widest_params, 1),
        millions(rung.macs),
        percent(methods[INDEPENDENT].accuracy_keras),
    ]
    for method in _ELASTIC:
        found = methods[method]
        cells += [percent(found.accuracy_keras), difference(found.against_independent)]
    return (*cells, *(percent(methods[method].accuracy_tflite) for method in TITLES))


def _verdicts(rungs: tuple[ComparedRung, ...]) -> Iterator[str]:
    """Yield a line on each thing that an elastic network is measured by."""
    widest, narrowest = rungs[0].methods, rungs[-1].methods
    original = widest[INDEPENDENT].accuracy_keras
    for method in _ELASTIC:
        pairs = [each.methods[method].against_independent for each in rungs]
        above = sum(pair.points >= 0 for pair in pairs)
        below = 100 * (original - narrowest[method].accuracy_keras)
        yield (
            f"- {TITLES[method]}: the widest rung is {difference(pairs[0])} from the same net trained independently; "
            f"the narrowest is {below:.2f} points below the widest net trained independently; {above} of "
            f"{len(rungs)} rungs are at or above their independent net."
        )


def _drops(metrics: ElasticMetrics, rungs: tuple[ComparedRung, ...]) -> Iterator[str]:
    """Yield the table of what each rung loses against the original, ours beside the published."""
    published = metrics.recipe["comparison"]["published"]
    known = published["rungs"] if published else {}
    original = metrics.baseline.accuracy
    rows = []
    for each in rungs:
        if each.name in known:
            ours = [100 * (original - each.methods[m].accuracy_keras) for m in _ELASTIC]
            theirs = published["original"] - known[each.name]
            rows.append((each.name, *(f"{drop:.2f}" for drop in (*ours, theirs))))
    if rows:
        yield (
            f"Points below the original ({percent(original)} here, {published['original']:.2f} % in "
            f"{published['source']}, on the lossless images):"
        )
        yield ""
        yield from Table(("rung", "jointly", "grown", "published"), tuple(rows)).markdown()
        yield ""
