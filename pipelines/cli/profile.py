"""`tfelastic profile`: how long a bundle's variants take on this machine."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import bundle_file
from pipelines.cli.json_output import echo_json

if TYPE_CHECKING:
    from tfelastic_runtime import Bundle

    from tflite_export import MeasuredProfile


@dataclass(frozen=True)
class Output:
    """Where the tables go, and what is printed."""

    path: str | None
    embed: bool
    as_json: bool
    quiet: bool


@click.command()
@click.argument("bundle", metavar="BUNDLE")
@click.option("--on", type=click.Choice(["host"]), default="host", show_default=True)
@click.option(
    "--threads",
    multiple=True,
    default=(1,),
    show_default=True,
    type=click.IntRange(1, 1024),
    help="Threads of an inference; one table each. Repeatable.",
)
@click.option(
    "--xnnpack/--no-xnnpack", default=True, help="Run XNNPACK's kernels, or LiteRT's own."
)
@click.option(
    "--half-width",
    default=0.02,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Measure until the 95 % interval of each median is so narrow, as a share of it.",
)
@click.option(
    "--limit-s",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds after which measuring ends in any case, for each table.",
)
@click.option("-o", "--output", metavar="FILE", help="Default: profile.json beside the bundle.")
@click.option("--embed", is_flag=True, help="Put the tables into the bundle as well.")
@click.option("--json", "as_json", is_flag=True, help="Print the tables as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    bundle: str,
    on: str,
    output: str | None,
    embed: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Measure how long each variant of BUNDLE takes, and write the table that selectors read.

    \b
    tfelastic profile net.elastic
    tfelastic profile net.elastic --threads 1 --threads 2 --half-width 0.01 --limit-s 300
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    opened = bundle_file.load(bundle)
    tables = _on_host(bundle, quiet=quiet, **options)
    _finish(bundle, opened, tables, Output(output, embed, as_json, quiet))


def _on_host(
    bundle: str,
    *,
    threads: Sequence[int],
    xnnpack: bool,
    half_width: float,
    limit_s: float,
    quiet: bool,
) -> "list[MeasuredProfile]":
    import tflite_export as tx
    from pipelines.progress import Reporter

    reporter, tables = Reporter(quiet=quiet), []
    for count in dict.fromkeys(threads):
        with (
            reporter.stage(f"{count} thread{'s' if count > 1 else ''}"),
            reporter.bar(1, "of the precision asked for") as advance,
        ):
            tables.append(
                tx.profile_host(
                    bundle,
                    threads=count,
                    xnnpack=xnnpack,
                    stop=tx.StoppingRule(half_width=half_width, limit_s=limit_s),
                    progress=lambda _, done, total: advance(done / total, f"{done} rounds"),
                )
            )
        _say_what_is_missing(tables[-1], half_width)
    return tables


def _say_what_is_missing(table: "MeasuredProfile", half_width: float) -> None:
    wide = {
        name: each.half_width
        for name, each in table.latencies.items()
        if each.half_width is None or each.half_width > half_width
    }
    if wide:
        found = ", ".join(
            f"{name} {'unknown' if width is None else f'{width:.1%}'}"
            for name, width in wide.items()
        )
        click.echo(
            f"the time was up before every median was known within {half_width:.1%} ({found}): "
            "quiet the machine, or give it a longer --limit-s",
            err=True,
        )


def _finish(
    bundle: str, opened: "Bundle", tables: "Sequence[MeasuredProfile]", output: Output
) -> None:
    """Embed, write and print the tables."""
    import tflite_export as tx

    if output.embed:
        sha256 = tx.add_profiles(bundle, [table.table for table in tables])
        tables = [replace(table, bundle_sha256=sha256) for table in tables]
    files = _write(bundle, tables, output.path)
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
    from tfelastic.files import write_atomically

    if len(tables) == 1:
        files = [Path(asked) if asked else Path(bundle).with_name("profile.json")]
    else:
        folder = Path(asked) if asked else Path(bundle).with_name("profiles")
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

    console = Console(highlight=False, soft_wrap=True)
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
    from tfelastic_runtime import dominated

    order = bundle.manifest.score.order
    rows = [
        table.latencies[variant.name].device.row(order(variant.score))
        for variant in bundle.variants
    ]
    names = [variant.name for variant in bundle.variants]
    found = [
        f"{names[never]} is never chosen: {names[better]} is as good and as fast. It takes "
        f"{bundle.variants[never].stored.bytes:,} bytes of the bundle for nothing"
        for never, better in dominated(rows).items()
    ]
    load, cores = table.conditions.get("load_1min"), table.device.get("cores")
    if isinstance(load, int | float) and isinstance(cores, int) and load > cores:
        found.append(
            f"the machine was busy: {load:g} processes wanted to run on {cores} cores, so latencies "
            "are longer than on a quiet one"
        )
    return found
