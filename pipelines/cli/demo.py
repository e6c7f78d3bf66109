"""`tfelastic demo`: the built-in recipe on data that need no download."""

from pathlib import Path

import click

from pipelines.cli import options
from pipelines.cli.run import Output, carry_out


@click.command()
@click.option(
    "-o",
    "--workspace",
    type=options.FOLDER,
    default="runs/demo",
    show_default=True,
    help="The folder of the run.",
)
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json on standard output.")
@options.quiet
@click.pass_context
def command(ctx: click.Context, workspace: str, as_json: bool, quiet: bool) -> None:
    """Go the whole way on scikit-learn's handwritten digits, in a few minutes on two cores.

    Trains a small residual network, cuts it to shares of the latency that it is measured to have
    here, makes it elastic, exports four int8 variants, measures them, runs the selector under three
    latency budgets, and writes a report. The same as `tfelastic run demo`.

    \b
    tfelastic demo
    tfelastic demo -o runs/mine --json
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    from pipelines.experiments import load_recipe

    carry_out(load_recipe("demo"), Path(workspace), Output(as_json, quiet), ctx.meta["arguments"])
