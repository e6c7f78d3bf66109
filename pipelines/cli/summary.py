"""The end of a run on the terminal: the variants' table, the selector's, and the paths."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_WIDTH = 100


def print_summary(metrics: Mapping[str, Any], folder: Path) -> None:
    """Print what a finished run reached."""
    console = Console(highlight=False, soft_wrap=True)
    baseline = metrics["baseline"]["accuracy"]
    console.print(
        f"\n[bold]{metrics['data']['name']}[/], stand-alone baseline {_percent(baseline)}, "
        f"all variants in one bundle of {_kilobytes(metrics['bundle_bytes'])}"
    )
    console.print(_variants(metrics["variants"]), width=_WIDTH)
    console.print(_selector(metrics["selector"]), width=_WIDTH)
    for name in ("model.elastic", "report.html", "metrics.json"):
        console.print(f"  {folder / name}")


def _variants(variants: list[Mapping[str, Any]]) -> Table:
    table = _table("variant", "width", "params", "MACs", ".tflite", "Keras", "device", "p50", "p90")
    for each in variants:
        table.add_row(
            each["name"],
            f"{each['width']:.2f}",
            f"{each['params']:,}",
            f"{each['macs'] / 1e6:,.2f} M",
            _kilobytes(each["tflite_bytes"]),
            _percent(each["accuracy_keras"]),
            _percent(each["accuracy_tflite"]),
            _milliseconds(each["latency_us"]["p50"]),
            _milliseconds(each["latency_us"]["p90"]),
        )
    return table


def _selector(rows: list[Mapping[str, Any]]) -> Table:
    table = _table("budget", "p90", "accuracy", "variants that ran")
    table.columns[-1].justify = "left"
    for row in rows:
        counts = row["variant_counts"].items()
        table.add_row(
            _milliseconds(row["budget_us"]),
            _milliseconds(row["p90_us"]),
            _percent(row["accuracy"]),
            ", ".join(f"{name} {count:,}" for name, count in counts),
        )
    return table


def _table(first: str, *rest: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 2), header_style="dim", pad_edge=False)
    table.add_column(f"  {first}", justify="left")
    for heading in rest:
        table.add_column(heading, justify="right")
    return table


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _milliseconds(microseconds: float) -> str:
    return f"{microseconds / 1000:.3f} ms"


def _kilobytes(count: int) -> str:
    return f"{count / 1000:,.1f} kB"
