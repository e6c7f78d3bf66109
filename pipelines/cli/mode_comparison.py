"""`tfelastic prune --compare`: which resource to give up, answered by one plan for each mode of complexity."""

import importlib.util
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from pipelines.cli import output_file

if TYPE_CHECKING:
    import tfelastic as te

MODES: tuple[Literal["params", "flops", "memory", "peak"], ...] = (
    "params",
    "flops",
    "memory",
    "peak",
)
_FORMATS = (".svg", ".png")
_WIDTH = 160
_HEADINGS = {
    "params": "params",
    "macs": "MACs",
    "activation_bytes": "activations, B",
    "peak_bytes": "arena, B",
    "tflite_bytes": ".tflite, B",
    "latency_us": "latency, us",
}


def picture_path(output: str | None, model: str) -> Path:
    """Return where the picture goes: where the user says, or beside the model.

    Raises:
        click.UsageError: The path is no picture's, its folder does not exist, or matplotlib is missing.
    """
    path = Path(output) if output else Path(model).with_suffix(".compare.svg")
    output_file.check(str(path), *_FORMATS)
    if importlib.util.find_spec("matplotlib") is None:
        raise click.UsageError(
            "--compare draws with matplotlib, which is not installed; pip install 'tfelastic[report]'"
        )
    return path


@dataclass(frozen=True)
class ModeComparison:
    """What each mode leaves within one budget, as plain data, and where its picture is."""

    report: Mapping[str, Any]
    picture: Path

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**self.report, "picture": str(self.picture)}

    def __str__(self) -> str:
        """Return a table: one row for each mode, below the original's."""
        from rich.console import Console
        from rich.table import Table

        report, file = self.report, io.StringIO()
        # Figures are for reading across: a narrow terminal wraps lines, but nothing is cut off.
        width = max(Console().width, _WIDTH)
        console = Console(highlight=False, soft_wrap=True, width=width, file=file)
        limits = ", ".join(f"{name} {limit:,.0f}" for name, limit in report["limits"].items())
        console.print(f"[bold]{report['model']}[/] within {limits}, by share of")
        table = Table(box=None, padding=(0, 2, 0, 2), header_style="dim", pad_edge=False)
        table.add_column("  mode", justify="left", no_wrap=True)
        original = report["original"]
        for name in original:
            table.add_column(_HEADINGS[name], justify="right", no_wrap=True)
        table.add_row("  original", *(f"{value:,.0f} 100.0%" for value in original.values()))
        for mode, row in report["modes"].items():
            cells = (
                f"{value:,.0f} {value / original[name]:6.1%}"
                for name, value in row["costs"].items()
            )
            table.add_row(f"  {mode}", *cells)
        console.print(table)
        return f"{file.getvalue()}  {self.picture}"


def compare(
    graph: "te.LayerGraph",
    budget: "te.Budget",
    *,
    drawing: Mapping[str, Any],
    measure: bool,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a plan of each mode leaves of every resource within one budget.

    Args:
        graph: The model's graph.
        budget: What every mode's plan may spend.
        drawing: How groups are drawn: the sampling and the seed of `tfelastic.Complexity`.
        measure: Whether to build, convert (float32) and time every model on this machine as well.
        options: What `tfelastic.plan` takes besides.
    """
    import tfelastic as te

    traces = {
        mode: te.Complexity(mode=mode, **drawing).pruning_trace(graph, budget=budget, **options)
        for mode in MODES
    }
    plans = {"original": te.KeepPlan(graph.fingerprint)}
    plans |= {mode: each.plan for mode, each in traces.items()}
    costs: dict[str, dict[str, float]] = {name: _costs(graph, plan) for name, plan in plans.items()}
    if measure:
        for name, latency_us in _latencies(graph, plans).items():
            costs[name]["latency_us"] = latency_us
    return {
        "model": graph.model.name,
        "limits": te.spending(graph, plans["original"], budget).limits,
        "groups": {group.name: group.size for group in graph.prunable},
        "original": costs["original"],
        "modes": {
            mode: {"costs": costs[mode], "pruning_trace": each.to_json()}
            for mode, each in traces.items()
        },
    }


def _costs(graph: "te.LayerGraph", plan: "te.KeepPlan") -> dict[str, float]:
    import tfelastic as te

    priced = te.Budget(params=1.0, macs=1.0, peak_bytes=1.0, tflite_bytes=1.0)
    spent = dict(te.spending(graph, plan, priced).spent)
    spent["activation_bytes"] = te.activation_bytes(graph, plan)
    return {name: spent[name] for name in _HEADINGS if name in spent}


def _latencies(graph: "te.LayerGraph", plans: Mapping[str, "te.KeepPlan"]) -> dict[str, float]:
    """Return the median latency of each plan's model on this machine, in microseconds, taking turns."""
    import tfelastic as te
    import tflite_export as tx

    files = {
        name: tx.convert(te.prune(graph.model, plan), scheme="float32")
        for name, plan in plans.items()
    }
    return tx.measure_files(files, runs=100)


def draw_into(report: Mapping[str, Any], picture: Path) -> ModeComparison:
    """Draw a comparison into a file."""
    from pipelines.report.mode_comparison import draw
    from tfelastic.files import write_atomically

    write_atomically(picture, draw(report, file_format=picture.suffix[1:]))
    return ModeComparison(report, picture)
