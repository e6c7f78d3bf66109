"""Rank the trained model's channels and plan the rungs."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import StageError
from pipelines.experiments.elastic.recipe import ElasticRecipe, LadderSpec
from pipelines.stages import Nothing, Outcome, Run, Stage, baseline

if TYPE_CHECKING:
    import keras

    from tfelastic import Ladder, LatencyTable

FILE = "ladder.json"

#: The operations of the model, where they were measured for its ladder.
TABLE_FILE = "operations.json"


def run(run: Run[ElasticRecipe]) -> Outcome[Nothing]:
    """Plan the ladder; a latency ladder without a table of its own is priced by what this machine measures."""
    import tfelastic as te

    model, spec = baseline.load(run), run.recipe.ladder
    files: tuple[str, ...] = (FILE,)
    table = None
    if spec.budgets is not None and spec.budgets.resource == "latency_us":
        if spec.budgets.table is not None:
            table = te.LatencyTable.load(spec.budgets.table)
        else:
            table = _measured(run, model)
            run.workspace.save_json(TABLE_FILE, table.to_json())
            files = (FILE, TABLE_FILE)
    rungs = plan_ladder(spec, model, table)
    run.workspace.save_json(FILE, rungs.to_json())
    names = ", ".join(rungs.names)
    groups = len(te.trace(model).groups)
    return Outcome(f"{names} over {groups} channel groups", Nothing(), files=files)


def check_ladder(spec: LadderSpec, model: "keras.Model") -> None:
    """Plan the ladder of an untrained model, so that what cannot work fails before the trainings.

    Of one whose latencies have yet to be measured only the criterion is checked.
    """
    import tfelastic as te

    te.criteria.resolve(spec.criterion)
    if spec.budgets is None or spec.budgets.resource != "latency_us":
        plan_ladder(spec, model)
    elif spec.budgets.table is not None:
        plan_ladder(spec, model, te.LatencyTable.load(spec.budgets.table))


def plan_ladder(
    spec: LadderSpec, model: "keras.Model", table: "LatencyTable | None" = None
) -> "Ladder":
    """Plan a recipe's ladder for a model; a latency ladder needs the table that prices it."""
    import tfelastic as te

    budgets = None
    if spec.budgets is not None:
        resource = spec.budgets.resource
        budgets = [te.Budget(**{resource: share}, latency=table) for share in spec.budgets.shares]
    try:
        return te.ladder(
            model,
            widths=spec.widths,
            depths=spec.depths,
            budgets=budgets,
            criterion=spec.criterion,
            strategy=spec.strategy,
            round_to=spec.round_to,
        )
    except te.errors.BudgetError as error:
        if not error.advice:
            raise
        raise StageError(f"the recipe's ladder: {error.reason}; {_advice(spec)}") from error


def _advice(spec: LadderSpec) -> str:
    """Return how a recipe, or the command that makes one, asks for a ladder within reach."""
    if spec.budgets is None:
        return "lower ladder.round_to or choose another ladder.strategy"
    kind = spec.budgets.resource.removesuffix("_us")
    return (
        f"raise ladder.budgets.shares (of 'tfelastic nest': --ladder {kind}=0.9,0.75), "
        "or lower ladder.round_to"
    )


def planned(run: Run[ElasticRecipe]) -> "Ladder":
    """Return the ladder that this stage planned."""
    import tfelastic as te

    return te.Ladder.from_json(run.read_json(FILE))


def _measured(run: Run[ElasticRecipe], model: "keras.Model") -> "LatencyTable":
    import tflite_export as tx

    recipe = run.recipe
    with run.reporter.bar(1.0, "of the operations") as advance:

        def progress(what: str, done: int, total: int) -> None:
            # Conversion and measurement take about as long as each other.
            advance((done / total + (what == "measure")) / 2, what)

        return tx.profile_ops(
            model,
            scheme=recipe.export.scheme,
            round_to=recipe.ladder.round_to,
            threads=recipe.profile.threads,
            progress=progress,
        )


def _table_file(recipe: ElasticRecipe) -> Mapping[str, Path]:
    budgets = recipe.ladder.budgets
    return {"ladder.budgets.table": Path(budgets.table)} if budgets and budgets.table else {}


STAGE = Stage(
    "ladder",
    run,
    Nothing,
    keys=("ladder", "export.scheme", "profile.threads"),
    stages=(baseline.STAGE,),
    files=_table_file,
    packages=("tensorflow",),
)
