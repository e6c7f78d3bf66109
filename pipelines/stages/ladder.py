"""Rank the trained model's channels and plan the rungs."""

from pipelines.stages import baseline
from pipelines.stages.base import Outcome, Run, Stage

FILE = "ladder.json"


def run(run: Run) -> Outcome:
    """Plan the ladder."""
    import keras

    import tfelastic as te

    spec = run.recipe.ladder
    model = keras.saving.load_model(run.path(baseline.FILE))
    ladder = te.ladder(
        model,
        widths=spec.widths,
        criterion=spec.criterion,
        round_to=spec.round_to,
    )
    run.workspace.save_json(FILE, ladder.to_json())
    names = ", ".join(ladder.names)
    groups = len(te.trace(model).groups)
    return Outcome(f"{names} over {groups} channel groups", files=(FILE,))


STAGE = Stage("ladder", run)
