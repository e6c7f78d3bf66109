"""Rank the trained model's channels and plan the rungs."""

from typing import TYPE_CHECKING

from pipelines.experiments.elastic.recipe import ElasticRecipe, LadderSpec
from pipelines.stages import Nothing, Outcome, Run, Stage, baseline

if TYPE_CHECKING:
    import keras

    from tfelastic import Ladder

FILE = "ladder.json"


def run(run: Run[ElasticRecipe]) -> Outcome[Nothing]:
    """Plan the ladder."""
    import tfelastic as te

    model = baseline.load(run)
    rungs = plan_ladder(run.recipe.ladder, model)
    run.workspace.save_json(FILE, rungs.to_json())
    names = ", ".join(rungs.names)
    groups = len(te.trace(model).groups)
    return Outcome(f"{names} over {groups} channel groups", Nothing(), files=(FILE,))


def plan_ladder(spec: LadderSpec, model: "keras.Model") -> "Ladder":
    """Plan a recipe's ladder for a model."""
    import tfelastic as te

    return te.ladder(
        model,
        widths=spec.widths,
        depths=spec.depths,
        criterion=spec.criterion,
        strategy=spec.strategy,
        round_to=spec.round_to,
    )


def planned(run: Run[ElasticRecipe]) -> "Ladder":
    """Return the ladder that this stage planned."""
    import tfelastic as te

    return te.Ladder.from_json(run.read_json(FILE))


STAGE = Stage("ladder", run, Nothing, keys=("ladder",), stages=(baseline.STAGE,))
