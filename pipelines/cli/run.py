"""`tfelastic run`: carry out a recipe, or go on with a run that was stopped."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from pipelines.cli import options, user_code
from pipelines.cli.json_output import echo_json
from pipelines.cli.supervisor import STOPPED, note_what_is_kept
from pipelines.recipe import built_in

if TYPE_CHECKING:
    from pipelines.recipe import Recipe
    from pipelines.stages import Prospect


@dataclass(frozen=True)
class Output:
    """What a run prints."""

    as_json: bool
    quiet: bool


@dataclass(frozen=True)
class Execution:
    """How a run is carried out, which changes nothing of what it leaves.

    Attributes:
        one_process: Whether all trainings share this process; else each has its own.
        until: The last stage to run, after which nothing is printed; all run unless it is given.
        workers: What carries out independent pieces of work, as `pipelines.workers.workers_of` takes it.
    """

    one_process: bool = True
    until: str | None = None
    workers: str | None = None


@dataclass(frozen=True)
class Changes:
    """What a command line changes of a recipe."""

    schedule: str | None
    overrides: tuple[str, ...]
    data_dir: str | None
    strict: bool

    def load(self, recipe: str) -> "Recipe":
        """Read a recipe with these changes."""
        from pipelines.experiments import load_recipe

        where = () if self.data_dir is None else (f"data.data_dir={json.dumps(self.data_dir)}",)
        strays = ("export.strays=stop",) if self.strict else ()
        overrides = (*self.overrides, *where, *strays)
        return load_recipe(recipe, schedule=self.schedule, overrides=overrides)


class _RecipeName(click.ParamType):
    """A recipe's built-in name or its path."""

    name = "RECIPE"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete built-in names and files."""
        names = [CompletionItem(name) for name in built_in() if name.startswith(incomplete)]
        # In this order: click's script for bash forgets what comes before files.
        return [CompletionItem(incomplete, type="file"), *names]


@click.command()
@click.argument("recipe", type=_RecipeName())
@click.option(
    "-o",
    "--workspace",
    type=options.FOLDER,
    help="The folder of the run. Default: runs/<recipe's name>.",
)
@click.option("--schedule", help="Another schedule of the recipe's, such as paper.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a recipe's key."
)
@click.option(
    "--data-dir",
    type=options.FOLDER,
    help="A prepared tfds directory, or where tfds keeps its data.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Stop at a variant that strays from Keras, instead of leaving it out.",
)
@user_code.option
@click.option(
    "--one-process",
    is_flag=True,
    help="Train in this process; else each training has its own, whose memory is given back.",
)
@options.workers
@click.option("--until", metavar="STAGE", help="Stop after this stage; another command goes on.")
@click.option("--dry-run", is_flag=True, help="Say which stages would run and why; run none.")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json on standard output.")
@options.quiet
@click.pass_context
def command(
    ctx: click.Context,
    recipe: str,
    workspace: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    **asked: Any,
) -> None:
    """Run RECIPE: the path of a .yaml file, or a built-in name.

    A run that was stopped, by Ctrl-C or by a crash, goes on where it was when the same command is
    given again. A finished stage is run again only when something that it reads has changed: a key
    of the recipe, a file, or the outcome of an earlier stage.

    \b
    tfelastic run demo --set baseline.epochs=3
    tfelastic run demo --set profile.runs=500 --dry-run
    tfelastic run cifar10_resnet20_quick --data-dir data/cifar10/3.0.2
    tfelastic run resnet20_cifar10 --schedule paper
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    chosen = Changes(**{field.name: asked.pop(field.name) for field in fields(Changes)}).load(
        recipe
    )
    folder = Path(workspace or f"runs/{chosen.name}")
    if dry_run:
        print_prospects(chosen, folder, as_json=as_json)
    else:
        output, again = Output(as_json, quiet), ctx.meta["arguments"]
        carry_out(chosen, folder, output, again, execution=Execution(**asked))


def carry_out(
    recipe: "Recipe",
    folder: Path,
    output: Output,
    arguments: Sequence[str],
    *,
    files: Mapping[str, str] | None = None,
    execution: Execution = Execution(),
) -> None:
    """Run every stage that has to run in the workspace, and print what the run reached.

    Args:
        recipe: What to do.
        folder: The workspace.
        output: What to print.
        arguments: The command line's, to give again.
        files: Texts to keep in the workspace, by file name.
        execution: How to carry it out.
    """
    from pipelines import experiments
    from pipelines.backend import Cluster
    from pipelines.cli.summary import print_summary
    from pipelines.progress import Reporter
    from pipelines.stages import Run
    from pipelines.workers import workers_of
    from pipelines.workspace import Workspace

    again = shlex.join(["tfelastic", *arguments])
    finished: list[str] = []

    def note(stage: str) -> None:
        finished.append(stage)
        note_what_is_kept(_what_is_kept(finished, again))

    note_what_is_kept(_what_is_kept(finished, again))
    reporter = Reporter(quiet=output.quiet, on_done=note)
    for key in recipe.idle_keys:
        reporter.say(f"warning: {key} has no effect in this recipe; remove it")
    user_code.run_once()
    if Cluster.of_environment().process > 0:
        experiments.join(Run(recipe, Workspace(folder, recipe.name), reporter, command=again))
        return
    with Workspace.open(folder, recipe.name) as workspace:
        for name, text in (files or {}).items():
            workspace.save_text(name, text)
        reporter.say(f"{recipe.name}: seed {recipe.seed}, workspace {folder}")
        try:
            set_up = user_code.for_other_processes()
            run = Run(
                recipe,
                workspace,
                reporter,
                command=again,
                set_up_process=None if execution.one_process else set_up,
                workers=workers_of(execution.workers, set_up=set_up),
            )
            experiments.carry_out(run, until=execution.until)
        except KeyboardInterrupt:
            click.echo(f"\nstopped. {_what_is_kept(finished, again)}", err=True)
            raise click.exceptions.Exit(STOPPED) from None
    if execution.until:
        return
    metrics = experiments.read_metrics(folder)
    if output.as_json:
        echo_json(metrics.to_json())
    else:
        print_summary(metrics, experiments.content_of(metrics), folder)


def print_prospects(recipe: "Recipe", folder: Path, *, as_json: bool) -> None:
    """Print which stages would run, and why, and how long each took when it last ran."""
    from pipelines import experiments
    from pipelines.progress import Reporter
    from pipelines.stages import Run
    from pipelines.workspace import Workspace

    run = Run(recipe, Workspace(folder, recipe.name), Reporter(quiet=True), command="")
    found = experiments.prospects(run)
    if as_json:
        rows = [
            {"stage": each.stage.name, "runs": bool(each.reasons), "reasons": list(each.reasons)}
            | {"seconds": each.seconds}
            for each in found
        ]
        echo_json(rows)
        return
    for each in found:
        click.echo(_prospect(each))
    click.echo(_estimate(found))


def _prospect(prospect: "Prospect") -> str:
    from pipelines.progress import duration

    if not prospect.reasons:
        return f"= {prospect.stage.name:<18} kept"
    last = f"; took {duration(prospect.seconds)} last time" if prospect.seconds else ""
    return f"> {prospect.stage.name:<18} runs: {'; '.join(prospect.reasons)}{last}"


def _estimate(found: "Sequence[Prospect]") -> str:
    """Return how long the stages that would run took when they last ran, and how many never did."""
    from pipelines.progress import duration

    ahead = [each for each in found if each.reasons]
    known = [each.seconds for each in ahead if each.seconds is not None]
    new = len(ahead) - len(known)
    parts = [f"{len(ahead)} of {len(found)} stages run"]
    if known:
        parts.append(f"{len(known)} of them took {duration(sum(known))} together last time")
    if new:
        parts.append(f"{new} never ran here, so how long they take is not known")
    return "; ".join(parts)


def _what_is_kept(finished: Sequence[str], again: str) -> str:
    stages = ", ".join(finished) or "no stage yet"
    return (
        f"Kept: {stages}; and of the one under way, every epoch, variant, candidate or step that had ended.\n"
        f"To go on: {again}"
    )
