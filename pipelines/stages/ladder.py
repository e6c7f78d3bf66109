"""Rank the trained model's channels and plan the rungs."""

import json
from typing import TYPE_CHECKING

from pipelines.stages import baseline
from pipelines.stages.base import Outcome, Run, Stage

if TYPE_CHECKING:
    from tfelastic import Ladder

FILE = "ladder.json"


def run(run: Run) -> Outcome:
    """Plan the ladder."""
    import keras

    import tfelastic as te

    model = keras.saving.load_model(run.path(baseline.FILE))
    rungs = baseline.plan_ladder(run, model)
    run.workspace.save_json(FILE, rungs.to_json())
    names = ", ".join(rungs.names)
    groups = len(te.trace(model).groups)
    return Outcome(f"{names} over {groups} channel groups", files=(FILE,))


def planned(run: Run) -> "Ladder":
    """Return the ladder that this stage planned."""
    import tfelastic as te

    return te.Ladder.from_json(json.loads(run.path(FILE).read_text(encoding="utf-8")))


STAGE = Stage("ladder", run)
