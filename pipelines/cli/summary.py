"""The end of a run on the terminal: its tables and the paths."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.report import prose
from pipelines.report.parts import parts, tiles
from pipelines.report.units import TimeUnit, kilobytes, millions

_LEAST_WIDTH = 100
_FILES = ("model.elastic", "pruned.keras", "report.html", "metrics.json")


def print_summary(metrics: Mapping[str, Any], folder: Path) -> None:
    """Print what a finished run reached."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_LEAST_WIDTH)
    console.print(f"\n[bold]{escape(metrics['data']['name'])}[/]", soft_wrap=True)
    if "variants" in metrics:
        _print_elastic(console, metrics)
    else:
        for figure, caption in tiles(metrics):
            console.print(escape(f"{figure:>10}  {caption}"), soft_wrap=True)
    for part in (part for part in parts(metrics) if part.lines):
        console.print(f"\n[bold]{escape(part.title)}[/]")
        _print_prose(console, part)
    console.print()
    for name in _FILES:
        if (folder / name).exists():
            console.print(escape(str(folder / name)), soft_wrap=True)


def _print_elastic(console: Console, metrics: Mapping[str, Any]) -> None:
    unit = TimeUnit.of(metrics)
    console.print(
        f"the net alone {_points(metrics['baseline']['accuracy'])} %, all variants in one bundle of "
        f"{kilobytes(metrics['bundle_bytes'])} kB\n",
        soft_wrap=True,
    )
    console.print(_variants(metrics, unit))
    console.print()
    console.print(_selector(metrics["selector"], unit))


def _print_prose(console: Console, part: prose.Part) -> None:
    """Print a part's tables and lists; the page has the explanations too."""
    for each in prose.read(part.lines):
        if isinstance(each, prose.Table):
            table = _table(*((heading, "") for heading in each.headings))
            for row in each.rows:
                table.add_row(*map(escape, row))
            # Figures are for reading across: a narrow terminal wraps lines, but nothing is cut off.
            Console(highlight=False, soft_wrap=True, width=max(console.width, 200)).print(table)
        elif isinstance(each, prose.Items):
            for text in each.texts:
                console.print(escape(f"- {text}"))


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
