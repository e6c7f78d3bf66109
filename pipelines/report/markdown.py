"""A run's results as a section of Markdown, for a page of results."""

from collections.abc import Mapping
from typing import Any

from pipelines.report import units
from pipelines.report.parts import parts
from pipelines.report.prose import Table

_HEADINGS = ("variant", "params", "MACs (M)", ".tflite (kB)", "Keras", "int8", "speed")


def section(metrics: Mapping[str, Any]) -> str:
    """Return the run's heading, its circumstances and its tables.

    Args:
        metrics: What `metrics.json` of a finished run holds.
    """
    data, baseline = metrics["data"], metrics["baseline"]
    lines = [
        f"## {metrics['name']}",
        "",
        f"{data['name']}, {data['train']:,} images to train and {data['test']:,} to test, seed "
        f"{metrics['seed']}. The stand-alone baseline reaches {units.percent(baseline['accuracy'])}.",
        "",
        "```",
        metrics["command"],
        "```",
        "",
    ]
    if "variants" in metrics:
        lines += [*_variants(metrics["variants"]).markdown(), ""]
    for part in (part for part in parts(metrics) if part.lines):
        lines += [f"### {part.title}", "", *part.lines, ""]
    return "\n".join(lines)


def _variants(variants: list[Mapping[str, Any]]) -> Table:
    """Return the variants; speeds are ratios to the widest one's median, measured side by side in the same run."""
    widest = variants[0]["latency_us"]["p50"]
    rows = (
        (
            each["name"],
            f"{each['params']:,}",
            units.millions(each["macs"]),
            units.kilobytes(each["tflite_bytes"]),
            units.percent(each["accuracy_keras"]),
            units.percent(each["accuracy_tflite"]),
            f"{widest / each['latency_us']['p50']:.2f}x",
        )
        for each in variants
    )
    return Table(_HEADINGS, tuple(rows))
