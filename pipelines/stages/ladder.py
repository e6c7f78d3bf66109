"""Rank the trained model's channels and plan the rungs."""

from pipelines.stages import baseline
from pipelines.stages.base import Outcome, Run, Stage

FILE = "ladder.json"


def run(run: Run) -> Outcome:
    """Plan the ladder."""
    import keras

    import tfelastic as te

    model = keras.saving.load_model(run.path(baseline.FILE))
    planned = baseline.plan_ladder(run, model)
    run.workspace.save_json(FILE, planned.to_json())
    names = ", ".join(planned.names)
    groups = len(te.trace(model).groups)
    return Outcome(f"{names} over {groups} channel groups", files=(FILE,))


STAGE = Stage("ladder", run)
