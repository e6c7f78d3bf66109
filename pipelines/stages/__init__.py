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
    data,
    elastic,
    export,
    grown,
    ladder,
    profile,
    report,
    selector,
)
from pipelines.stages.base import Run, Stage, StageError, run_stages
from pipelines.stages.progress import Reporter, duration


def stages_of(recipe: Recipe) -> tuple[Stage, ...]:
    """Return the stages of a recipe, first to last."""
    compared = (grown.STAGE, alone.STAGE, compare.STAGE) if recipe.comparison else ()
    return (
        data.STAGE,
        baseline.STAGE,
        ladder.STAGE,
        elastic.STAGE,
        *compared,
        export.STAGE,
        bundle.STAGE,
        profile.STAGE,
        selector.STAGE,
        report.STAGE,
    )


__all__ = ["Reporter", "Run", "Stage", "StageError", "duration", "run_stages", "stages_of"]
