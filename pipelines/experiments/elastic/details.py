"""The report's sections for the page alone: sizes, schemes, the simulation, and masks to look at."""

from collections.abc import Iterator

from pipelines.experiments.elastic.detail_pictures import (
    draw_bytes,
    draw_masks,
    draw_schemes,
    draw_simulation,
)
from pipelines.experiments.elastic.metrics import ElasticMetrics
from pipelines.experiments.elastic.simulation import Simulation
from pipelines.report import Section, Table
from pipelines.report.numbers import TimeUnit, change, kilobytes, percent, score
from pipelines.stages import MetricDescription


def sizes_and_schemes(metrics: ElasticMetrics) -> Iterator[Section]:
    """Yield the variants by bytes, and by what conversion changes."""
    title, scheme = metrics.metric.title, metrics.recipe["export"]["scheme"]
    yield Section(
        f"{title[0].upper()}{title[1:]} against bytes",
        draw=lambda: draw_bytes(metrics),
        caption="The files one by one; the bundle stores once what they share. Beside them the memory that holds "
        "values between operations, predicted, or as TFLM needed it.",
        figures=tuple(_sizes(metrics)),
    )
    yield Section(
        f"{scheme} against float",
        draw=lambda: draw_schemes(metrics),
        caption=f"The {title} on the test examples{metrics.metric.direction}, of each rung in Keras and as exported.",
        figures=tuple(_schemes(metrics, scheme)),
    )


def _sizes(metrics: ElasticMetrics) -> Iterator[str]:
    def shown(count: int | None) -> str:
        return "–" if count is None else kilobytes(count)

    headings = ("variant", ".tflite (kB)", "activations at the peak (kB)", "arena of TFLM (kB)")
    rows = tuple(
        (
            each.name,
            kilobytes(each.tflite_bytes),
            shown(each.peak_bytes),
            shown(each.arena_bytes),
        )
        for each in metrics.variants
    )
    yield from Table(headings, rows).markdown()


def _schemes(metrics: ElasticMetrics, scheme: str) -> Iterator[str]:
    metric = metrics.metric
    rows = tuple(
        (
            each.name,
            score(metric, each.score_keras),
            score(metric, each.score_tflite),
            change(metric, each.score_tflite - each.score_keras),
            "–" if each.top1_agreement is None else percent(each.top1_agreement),
        )
        for each in (*metrics.variants, *metrics.left_out)
    )
    yield from Table(("variant", "float", scheme, "difference", "same answers"), rows).markdown()


def simulated(metrics: ElasticMetrics) -> Iterator[Section]:
    """Yield the selector under traces of load, where the run simulated it."""
    found, metric = metrics.simulation, metrics.metric
    if found is None:
        return
    unit = TimeUnit.of(found.budget_us)
    yield Section(
        "The selector under load, simulated",
        draw=lambda: draw_simulation(found, metric),
        caption=f"{found.runs:,} runs a trace under a budget of {unit.show(found.budget_us)} {unit.name}, with the "
        "latencies measured above. Misses count where a variant could have kept the budget. The oracle knows each "
        "run's latency, 'knowing slowdown' the load but not the noise; kalman is ALERT's filter (USENIX ATC 2020).",
        figures=tuple(_simulation(found, metric)),
    )


def _simulation(found: Simulation, metric: MetricDescription) -> Iterator[str]:
    rows = tuple(
        (
            f"{trace.trace}: {each.name}",
            percent(each.misses),
            score(metric, each.mean_score),
            f"{each.switches:,}",
        )
        for trace in found.traces
        for each in trace.choosers
    )
    yield from Table(
        ("trace: chooser", "misses", f"average {metric.title}", "switches"), rows
    ).markdown()


def pictured(metrics: ElasticMetrics) -> Iterator[Section]:
    """Yield test images with their masks, where the run is a segmentation."""
    masks = metrics.masks
    if masks is not None and masks.examples:
        yield Section(
            "Masks",
            draw=lambda: draw_masks(masks),
            caption=f"The first test images, the class of every pixel ({', '.join(masks.classes)}), and what the "
            "widest and the narrowest variant say.",
        )
