"""The end of a run on the terminal: the variants' table, the selector's, and the paths."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.report.units import TimeUnit, kilobytes, millions

_LEAST_WIDTH = 100


def print_summary(metrics: Mapping[str, Any], folder: Path) -> None:
    """Print what a finished run reached."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_LEAST_WIDTH)
    unit = TimeUnit.of(metrics)
    console.print(
        f"\n[bold]{escape(metrics['data']['name'])}[/]\nthe net alone "
        f"{_points(metrics['baseline']['accuracy'])} %, all variants in one bundle of "
        f"{kilobytes(metrics['bundle_bytes'])} kB\n",
        soft_wrap=True,
    )
    console.print(_variants(metrics, unit))
    console.print()
    console.print(_selector(metrics["selector"], unit))
    console.print()
    for name in ("model.elastic", "report.html", "metrics.json"):
        console.print(escape(str(folder / name)), soft_wrap=True)


def _variants(metrics: Mapping[str, Any], unit: TimeUnit) -> Table:
    scheme = metrics["recipe"]["export"]["scheme"]
    table = _table(
        ("variant", ""),
        ("width", ""),
        ("params", ""),
        ("MACs", "millions"),
        (".tflite", "kB"),
        ("Keras", "%"),
        (scheme, "%"),
        ("p50", unit.name),
        ("p90", unit.name),
    )
    for each in metrics["variants"]:
        table.add_row(
            each["name"],
            f"{each['width']:.2f}",
            f"{each['params']:,}",
            millions(each["macs"]),
            kilobytes(each["tflite_bytes"]),
            _points(each["accuracy_keras"]),
            _points(each["accuracy_tflite"]),
            unit.show(each["latency_us"]["p50"]),
            unit.show(each["latency_us"]["p90"]),
        )
    return table


def _selector(rows: list[Mapping[str, Any]], unit: TimeUnit) -> Table:
    table = _table(
        ("budget", unit.name), ("p90", unit.name), ("accuracy", "%"), ("variants that ran", "")
    )
    table.columns[0].justify = "right"
    table.columns[-1].justify = "left"
    for row in rows:
        counts = row["variant_counts"].items()
        table.add_row(
            unit.show(row["budget_us"]),
            unit.show(row["p90_us"]),
            _points(row["accuracy"]),
            ", ".join(f"{name} {count:,}" for name, count in counts),
        )
    return table


def _table(*headings: tuple[str, str]) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim", pad_edge=False)
    for index, (heading, unit) in enumerate(headings):
        table.add_column(
            f"{heading}\n{unit}", justify="left" if index == 0 else "right", no_wrap=True
        )
    return table


def _points(share: float) -> str:
    return f"{100 * share:.2f}"
