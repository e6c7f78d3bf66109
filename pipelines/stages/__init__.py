"""The steps of a run, in their order.

Each stage takes its inputs from files of the workspace and from earlier stages' results, never from
memory, so any of them can be the first one after a kill.
"""

from pipelines.config import Recipe
from pipelines.stages import (
    alone,
    baseline,
    bundle,
    compare,
    contests,
    data,
    depth,
    elastic,
    export,
    fine_tuned,
    finish,
    grown,
    ladder,
    plans,
    profile,
    report,
    searches,
    selector,
    train_pruned,
)
from pipelines.stages.base import Run, Stage, StageError, run_stages
from pipelines.stages.progress import Reporter, duration


def stages_of(recipe: Recipe) -> tuple[Stage, ...]:
    """Return the stages of a recipe, first to last."""
    if recipe.kind == "blocks":
        own = (baseline.STAGE, *searches.STAGES, finish.STAGE, depth.STAGE)
    elif recipe.kind == "complexity":
        pruned = (plans.STAGE, train_pruned.STAGE)
        own = (*pruned, baseline.STAGE, fine_tuned.STAGE, contests.STAGE)
    else:
        own = _of_elastic(recipe)
    return (data.STAGE, *own, report.STAGE)


def _of_elastic(recipe: Recipe) -> tuple[Stage, ...]:
    compared = (grown.STAGE, alone.STAGE, compare.STAGE) if recipe.comparison else ()
    trained = (baseline.STAGE, ladder.STAGE, elastic.STAGE, *compared)
    return (*trained, export.STAGE, bundle.STAGE, profile.STAGE, selector.STAGE)


__all__ = ["Reporter", "Run", "Stage", "StageError", "duration", "run_stages", "stages_of"]
