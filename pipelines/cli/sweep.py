"""`tfelastic sweep`: recipes times seeds, a run each, in this process or spread over workers."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import options, user_code
from pipelines.cli.report import compared, print_comparison

if TYPE_CHECKING:
    from pipelines.recipe import Recipe


@click.command()
@click.argument("recipes", metavar="RECIPE...", nargs=-1, required=True)
@click.option(
    "--seed",
    "seeds",
    type=options.SEED,
    multiple=True,
    help="A seed to run each recipe with; several may be given.  [default: each recipe's own]",
)
@click.option(
    "-o",
    "--output",
    type=options.FOLDER,
    default="runs",
    show_default=True,
    metavar="FOLDER",
    help="Where each run has its folder; all machines of a cluster have to see it.",
)
@click.option("--schedule", help="Another schedule of the recipes', such as paper.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key of every recipe."
)
@options.workers
@user_code.option
@options.as_json
@options.quiet
def command(
    recipes: tuple[str, ...],
    seeds: tuple[int, ...],
    output: str,
    workers: str | None,
    as_json: bool,
    quiet: bool,
    **changes: Any,
) -> None:
    """Run each RECIPE with each seed, every run in a folder of its own, and print them side by side.

    A run is what `tfelastic run` makes of it. A sweep that was stopped, or lost workers, goes on when
    the same command is given again: finished runs stay, and the others go on where they were.
    Latencies that were measured while other runs loaded the machine say little: compare scores.

    \b
    tfelastic sweep digits_a.yaml digits_b.yaml --seed 0 --seed 1 --seed 2 -o runs/seeds
    tfelastic sweep resnet20_cifar10 --seed 0 --seed 1 --workers local:2
    tfelastic sweep resnet20_cifar10 --seed 0 --seed 1 --workers ray://head:10001 -o /shared/runs
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    from pipelines.progress import Reporter
    from pipelines.workers import workers_of

    user_code.run_once()
    carriers = workers_of(workers, set_up=user_code.for_other_processes())
    runs = _runs(recipes, seeds, Path(output).resolve(), changes)
    ahead = [(folder, recipe) for folder, recipe in runs.items() if not _finished(folder, recipe)]
    reporter = Reporter(quiet=quiet)
    reporter.say(f"{len(runs)} runs in {output}, {len(runs) - len(ahead)} of them finished before")
    with reporter.bar(len(ahead), "runs") as advance:
        for count, (number, summary) in enumerate(carriers.map(carry_out, ahead), start=1):
            advance(count, "")
            reporter.say(f"  {ahead[number][0].name}: {summary}")
    print_comparison(compared([str(folder) for folder in runs]), None, as_json=as_json)


def _runs(
    recipes: tuple[str, ...], seeds: tuple[int, ...], output: Path, changes: Mapping[str, Any]
) -> "dict[Path, Recipe]":
    """Return every run's recipe by its folder."""
    from pipelines.experiments import load_recipe

    found = {}
    for name in recipes:
        for seed in seeds or (None,):
            own = () if seed is None else (f"seed={seed}",)
            recipe = load_recipe(
                name, schedule=changes["schedule"], overrides=(*changes["overrides"], *own)
            )
            folder = output / (recipe.name if seed is None else f"{recipe.name}-seed{seed}")
            if folder in found:
                raise click.UsageError(f"two runs would have the folder {folder}; rename a recipe")
            found[folder] = recipe
    return found


def _finished(folder: Path, recipe: "Recipe") -> bool:
    from pipelines import experiments
    from pipelines.progress import Reporter
    from pipelines.stages import Run
    from pipelines.workspace import Workspace

    run = Run(recipe, Workspace(folder, recipe.name), Reporter(quiet=True), command="")
    return not any(prospect.reasons for prospect in experiments.prospects(run))


def carry_out(item: "tuple[Path, Recipe]") -> str:
    """Carry out one run, in whatever process this is, and return its last words."""
    from pipelines import experiments
    from pipelines.progress import Reporter
    from pipelines.stages import Run
    from pipelines.workspace import Workspace

    folder, recipe = item
    again = shlex.join(["tfelastic", "run", recipe.name, "-o", str(folder)])
    with Workspace.open(folder, recipe.name) as workspace:
        run = Run(recipe, workspace, Reporter(quiet=True), command=again)
        experiments.carry_out(run)
        entry = workspace.entry(experiments.stages_of(recipe)[-2].name)
    return entry.summary if entry else ""
