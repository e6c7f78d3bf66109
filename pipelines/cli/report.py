"""`tfelastic report`: the page of a finished run."""

from pathlib import Path

import click


@click.command()
@click.argument("workspace", type=click.Path(exists=True, file_okay=False))
@click.option("--markdown", is_flag=True, help="Print the results as Markdown instead.")
def command(workspace: str, markdown: bool) -> None:
    """Write report.html of WORKSPACE anew from its metrics.json, and print its path."""
    if markdown:
        from pipelines.report.markdown import section
        from pipelines.workspace import read_metrics

        click.echo(section(read_metrics(workspace)), nl=False)
        return
    from pipelines.report import write_report

    click.echo(write_report(Path(workspace)))
