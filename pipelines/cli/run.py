"""`tfelastic run`: carry out a recipe, or go on with a run that was stopped."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from pipelines import config
from pipelines.cli.entry import STOPPED
from pipelines.config import Recipe


@dataclass(frozen=True)
class Output:
    """What a run shall say."""

    as_json: bool
    quiet: bool


@click.command()
@click.argument("recipe")
@click.option(
    "--workspace", type=click.Path(file_okay=False), help="Default: runs/<recipe's name>."
)
@click.option("--schedule", help="Another schedule of the recipe's, such as paper.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a recipe's key."
)
@click.option("--data-dir", help="A prepared tfds directory, or where tfds keeps its data.")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json on standard output.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.pass_context
def command(
    ctx: click.Context,
    recipe: str,
    workspace: str | None,
    schedule: str | None,
    overrides: tuple[str, ...],
    data_dir: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    r"""Run RECIPE: the path of a .yaml file, or a built-in name.

    A run that was stopped, by Ctrl-C or by a crash, goes on where it was when the same command is
    given again; finished stages are not run again.

    \b
    tfelastic run demo --set baseline.epochs=3
    tfelastic run cifar10_resnet20_quick --data-dir data/cifar10/3.0.2
    tfelastic run resnet20_cifar10 --schedule paper
    """
    where = () if data_dir is None else (f"data.data_dir={json.dumps(data_dir)}",)
    chosen = config.load(recipe, schedule=schedule, overrides=(*overrides, *where))
    folder = Path(workspace or f"runs/{chosen.name}")
    carry_out(chosen, folder, Output(as_json, quiet), ctx.meta["arguments"])


def carry_out(recipe: Recipe, folder: Path, output: Output, arguments: Sequence[str]) -> None:
    """Run every stage that is left in the workspace, and print what came of it."""
    from pipelines.cli.summary import print_summary
    from pipelines.stages import Reporter, Run, run_stages, stages_of
    from pipelines.workspace import Workspace, read_metrics

    again = shlex.join(["tfelastic", *arguments])
    reporter = Reporter(quiet=output.quiet)
    with Workspace.open(folder, recipe) as workspace:
        reporter.say(f"{recipe.name}: seed {recipe.seed}, workspace {folder}")
        try:
            run_stages(Run(recipe, workspace, reporter, command=again), stages_of(recipe))
        except KeyboardInterrupt:
            click.echo(_what_was_kept(workspace.finished_stages, again), err=True)
            raise click.exceptions.Exit(STOPPED) from None
    metrics = read_metrics(folder)
    if output.as_json:
        click.echo(json.dumps(metrics, indent=2))
    else:
        print_summary(metrics, folder)


def _what_was_kept(finished: Sequence[str], again: str) -> str:
    stages = ", ".join(finished) or "no stage yet"
    return (
        f"\nstopped. Kept: {stages}; and of the one under way, every epoch, variant, candidate or step that had "
        f"ended.\nTo go on: {again}"
    )
