"""Train the nets that complexity pruned, once and from scratch."""

import json
from typing import TYPE_CHECKING

from pipelines.stages import baseline, plans
from pipelines.stages.base import Outcome, Run, Stage

if TYPE_CHECKING:
    import keras


def run(run: Run) -> Outcome:
    """Prune, reinitialize and train, those first that an earlier try has not."""
    import tfelastic as te
    from pipelines.stages.training import seconds_of, train_each

    whole = baseline.build(run)
    ways = json.loads(run.path(plans.FILE).read_text(encoding="utf-8"))

    def pruned(name: str) -> "keras.Model":
        plan = te.PruningTrace.from_json(ways[name]).plan
        return te.reinitialize(te.prune(whole, plan), seed=run.recipe.seed)

    histories, earlier_seconds = train_each(
        run,
        STAGE.name,
        ((name, pruned(name)) for _, _, name in plans.names(run)),
        training=run.recipe.baseline,
        split=run.learned,
        keras_file=keras_file,
    )
    return Outcome(
        "  ".join(f"{name} {seconds_of(history):.0f} s" for name, history in histories.items()),
        files=tuple(keras_file(name) for name in histories),
        results={"history": histories},
        earlier_seconds=earlier_seconds,
    )


def keras_file(name: str) -> str:
    """Return the name of a pruned net in the workspace."""
    return f"pruned/{name}.keras"


STAGE = Stage("train_pruned", run, needs=("tensorflow",))
