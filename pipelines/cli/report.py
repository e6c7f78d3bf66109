"""`tfelastic report`: the page of a finished run."""

from pathlib import Path

import click


@click.command()
@click.argument("workspace", type=click.Path(exists=True, file_okay=False))
def command(workspace: str) -> None:
    """Write report.html of WORKSPACE anew from its metrics.json, and print its path."""
    from pipelines.report import write_report

    click.echo(write_report(Path(workspace)))
