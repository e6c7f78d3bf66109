"""The steps of a run, in their order.

Each stage takes its inputs from files of the workspace and from earlier stages' results, never from
memory, so any of them can be the first one after a kill.
"""

from pipelines.stages import (
    baseline,
    bundle,
    data,
    elastic,
    export,
    ladder,
    profile,
    report,
    selector,
)
from pipelines.stages.base import Run, Stage, StageError, run_stages
from pipelines.stages.progress import Reporter, duration

#: Every stage, first to last.
STAGES: tuple[Stage, ...] = (
    data.STAGE,
    baseline.STAGE,
    ladder.STAGE,
    elastic.STAGE,
    export.STAGE,
    bundle.STAGE,
    profile.STAGE,
    selector.STAGE,
    report.STAGE,
)

__all__ = ["STAGES", "Reporter", "Run", "Stage", "StageError", "duration", "run_stages"]
