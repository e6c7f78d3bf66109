"""A run's results as a section of Markdown, for a page of results."""

from collections.abc import Mapping
from typing import Any

from pipelines.report import units

_HEADINGS = ("variant", "params", "MACs (M)", ".tflite (kB)", "Keras", "int8", "speed")


def section(metrics: Mapping[str, Any]) -> str:
    """Return the run's heading, its circumstances and its table of variants.

    Speeds are ratios to the widest variant's median, measured side by side in the same run.

    Args:
        metrics: What `metrics.json` of a finished run holds.
    """
    data, baseline = metrics["data"], metrics["baseline"]
    widest = metrics["variants"][0]["latency_us"]["p50"]
    rows = [
        [
            each["name"],
            f"{each['params']:,}",
            units.millions(each["macs"]),
            units.kilobytes(each["tflite_bytes"]),
            units.percent(each["accuracy_keras"]),
            units.percent(each["accuracy_tflite"]),
            f"{widest / each['latency_us']['p50']:.2f}x",
        ]
        for each in metrics["variants"]
    ]
    return "\n".join(
        [
            f"## {metrics['name']}",
            "",
            f"{data['name']}, {data['train']:,} images to train and {data['test']:,} to test, seed "
            f"{metrics['seed']}. The stand-alone baseline reaches "
            f"{units.percent(baseline['accuracy'])}.",
            "",
            "```",
            metrics["command"],
            "```",
            "",
            *_table(_HEADINGS, rows),
            "",
        ]
    )


def _table(headings: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    lines = [list(headings), ["---", *("---:" for _ in headings[1:])], *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
