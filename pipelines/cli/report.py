"""`tfelastic report`: the page of a finished run."""

from pathlib import Path

import click

from pipelines.cli.json_output import echo_json


@click.command()
@click.argument("workspace", type=click.Path(exists=True, file_okay=False))
@click.option("--markdown", is_flag=True, help="Print the results as Markdown instead.")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json instead.")
def command(workspace: str, markdown: bool, as_json: bool) -> None:
    """Write report.html of WORKSPACE anew from its metrics.json, and print its path."""
    from pipelines import experiments

    if as_json:
        echo_json(experiments.read_metrics(workspace).to_json())
        return
    if markdown:
        from pipelines.report.markdown import section

        metrics = experiments.read_metrics(workspace)
        click.echo(section(metrics, experiments.content_of(metrics)), nl=False)
        return
    from pipelines.backend import start_backend

    start_backend()
    click.echo(experiments.write_report(Path(workspace)))
