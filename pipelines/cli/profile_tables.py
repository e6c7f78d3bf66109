"""What `tfelastic profile` does with its tables: embed, write and print them, with remarks."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli.json_output import echo_json

if TYPE_CHECKING:
    from tfelastic_runtime import Bundle

    from tflite_export import MeasuredProfile


_WIDTH = 120


@dataclass(frozen=True)
class Output:
    """Where the tables go, and what is printed.

    Attributes:
        path: The file, or for several tables the folder; None for the usual place beside the bundle.
        embed: Whether the bundle takes them in as well.
        picture: The file to draw score against latency into; None draws nothing.
        as_json: Whether they are printed as JSON.
    """

    path: str | None
    embed: bool
    picture: str | None
    as_json: bool


@contextmanager
def bar(label: str, *, quiet: bool) -> Iterator[Callable[[float, str], None]]:
    """Show how much of 1 is done; the context's value is the function that moves it."""
    from pipelines.progress import Reporter

    reporter = Reporter(quiet=quiet)
    with reporter.stage(label), reporter.bar(1, "done") as advance:
        yield advance


def finish(
    bundle: str, opened: "Bundle", tables: "Sequence[MeasuredProfile]", output: Output
) -> None:
    """Embed, write and print the tables of a bundle; none were measured where all phones failed."""
    import tflite_export as tx

    if not tables:
        return
    if output.embed:
        tx.add_profiles(bundle, [table.table for table in tables])
    files = _write(bundle, tables, output.path)
    if output.picture:
        tx.draw_profiles(opened, tables, output.picture)
    if output.as_json:
        rows = [
            {"file": str(file), **table.to_json()}
            for file, table in zip(files, tables, strict=True)
        ]
        echo_json({"bundle": bundle, "embedded": output.embed, "profiles": rows})
        return
    for file, table in zip(files, tables, strict=True):
        _print(opened, table, file)
    if output.embed:
        click.echo(f"{bundle} holds the table{'s' if len(tables) > 1 else ''} as well")


def _write(bundle: str, tables: "Sequence[MeasuredProfile]", asked: str | None) -> list[Path]:
    """Write one table to a file, several into a folder, and return their paths."""
    from pipelines.backend import start_backend

    # The library comes with Keras, whose backend greets at length.
    start_backend()
    from tfelastic.files import write_atomically

    if len(tables) == 1:
        files = [Path(asked) if asked else Path(bundle).with_name("profile.json")]
        if files[0].is_dir():
            files = [files[0] / f"{_slug(tables[0])}.json"]
    else:
        # Nothing that was measured is lost because a name was meant for one table.
        folder = Path(asked.removesuffix(".json")) if asked else Path(bundle).with_name("profiles")
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"{_slug(table)}.json" for table in tables]
    for file, table in zip(files, tables, strict=True):
        write_atomically(file, json.dumps(table.to_json(), indent=2) + "\n")
    return files


def _slug(table: "MeasuredProfile") -> str:
    """Return the name of a table's file: the device, its threads, and the CPU mask if there is one."""
    device = table.device.get("serial") or table.device["name"]
    mask = f"_cpus-{table.device['cpu_mask']}" if "cpu_mask" in table.device else ""
    plain = "".join(each if each.isalnum() or each in "-." else "-" for each in str(device))
    return f"{plain.strip('-.')}_threads-{table.threads}{mask}"


def _print(bundle: "Bundle", table: "MeasuredProfile", file: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    # Figures are for reading across: a narrow terminal wraps lines, but nothing is cut off.
    console = Console(highlight=False, soft_wrap=True, width=max(Console().width, _WIDTH))
    ran = ", ".join(filter(None, (table.runtime, table.kernels)))
    title = f"{table.device['name']}, threads: {table.threads}, {ran}"
    grid = Table(title=escape(title), box=None, padding=(0, 2, 0, 0), title_justify="left")
    grid.add_column("variant", no_wrap=True)
    metric = bundle.manifest.score.metric
    for heading in (
        metric,
        "p50 us",
        "+-",
        "p90 us",
        "p99 us",
        "opening us",
        "first us",
        "MB",
        "runs",
    ):
        grid.add_column(escape(heading), justify="right", no_wrap=True)
    for variant in bundle.variants:
        grid.add_row(escape(variant.name), f"{variant.score:.4g}", *_cells(table, variant.name))
    console.print(grid)
    for remark in remarks(bundle, table):
        console.print(escape(remark))
    console.print(escape(f"wrote {file}"))


def _cells(table: "MeasuredProfile", name: str) -> list[str]:
    measured = table.latencies[name]
    latency = measured.device

    def shown(value: int | None) -> str:
        return "-" if value is None else f"{value:,}"

    width, peak = measured.half_width, latency.peak_rss_bytes
    return [
        shown(latency.p50_us),
        "-" if width is None else f"{width:.1%}",
        shown(latency.p90_us),
        shown(latency.p99_us),
        shown(latency.switch_us),
        shown(latency.first_us),
        "-" if peak is None else f"{peak / 1e6:,.1f}",
        shown(latency.runs),
    ]


def remarks(bundle: "Bundle", table: "MeasuredProfile") -> list[str]:
    """Return one sentence for each thing that a reader of the table should know."""
    import tflite_export as tx

    found = [
        f"{never} is never chosen: {better} is as good and as fast. It takes "
        f"{bundle.variant(never).stored.bytes:,} bytes of the bundle for nothing"
        for never, better in tx.never_chosen(bundle, table.table).items()
    ]
    if table.conditions.get("worst_thermal_status"):
        found.append(
            "Android throttled the phone meanwhile: latencies are longer than on a cool one"
        )
    load, cores = table.conditions.get("load_1min"), table.device.get("cores")
    if isinstance(load, int | float) and isinstance(cores, int) and load > cores:
        found.append(
            f"the machine was busy: {load:g} processes wanted to run on {cores} cores, so latencies "
            "are longer than on a quiet one"
        )
    return found
