"""`tfelastic report`: the page of a finished run, or several runs side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli import options, output_file
from pipelines.cli.json_output import echo_json

if TYPE_CHECKING:
    from pipelines.report import RunComparison


@click.command()
@click.argument(
    "workspaces",
    metavar="WORKSPACE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False),
)
@click.option(
    "-o",
    "--output",
    type=options.PATH,
    metavar="PAGE.html",
    help="Of several runs: write table and picture as a page.",
)
@click.option("--markdown", is_flag=True, help="Print one run's results as Markdown instead.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON instead.")
def command(workspaces: tuple[str, ...], output: str | None, markdown: bool, as_json: bool) -> None:
    """Write report.html of WORKSPACE anew from its metrics.json, or compare several runs.

    Of one run it prints the page's path. Of several it prints a table of their nets; -o writes the
    table and a picture as a page.

    \b
    tfelastic report runs/mine
    tfelastic report runs/mine runs/mine-longer -o comparison.html
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    from pipelines.backend import start_backend

    start_backend()
    from pipelines import experiments

    if len(workspaces) > 1:
        if markdown:
            raise click.UsageError("--markdown is for one run; several print a table, or --json")
        if output:
            output_file.check(output, ".html")
        print_comparison(compared(workspaces), output, as_json=as_json)
        return
    (workspace,) = workspaces
    if output:
        raise click.UsageError(
            f"-o is for several runs; the page of one run is {workspace}/report.html"
        )
    if as_json:
        echo_json(experiments.read_metrics(workspace).to_json())
        return
    if markdown:
        from pipelines.report.markdown import section

        metrics = experiments.read_metrics(workspace)
        click.echo(section(metrics, experiments.content_of(metrics)), nl=False)
        return
    click.echo(experiments.write_report(Path(workspace)))


def compared(workspaces: Sequence[str]) -> "RunComparison":
    """Compare runs under the names of their folders, or their paths where two have the same name."""
    from pipelines import experiments
    from pipelines.report import compare_runs

    names = [Path(each).resolve().name for each in workspaces]
    labels = names if len(set(names)) == len(names) else list(workspaces)
    if len(set(labels)) < len(labels):
        raise click.UsageError(f"a run is named twice: {' '.join(workspaces)}")
    found = {}
    for label, workspace in zip(labels, workspaces, strict=True):
        metrics = experiments.read_metrics(workspace)
        found[label] = metrics, experiments.content_of(metrics)
    return compare_runs(found)


def print_comparison(found: "RunComparison", output: str | None, *, as_json: bool) -> None:
    """Print the comparison of runs as a table or as JSON; with `output` also write it as a page."""
    from pipelines.cli.tables import lay_out, result_console
    from tfelastic.files import write_atomically

    if output:
        write_atomically(Path(output), found.page().encode())
    if as_json:
        echo_json(found.to_json())
        return
    table = found.table()
    console = result_console()
    console.print(lay_out(console, table.headings, table.rows))
    for remark in found.remarks:
        click.echo(f"warning: {remark}", err=True)
    if output:
        click.echo(output)
