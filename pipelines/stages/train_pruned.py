"""Train the nets that complexity pruned, once and from scratch."""

import json

from pipelines.stages import baseline, plans
from pipelines.stages.base import Outcome, Run, Stage


def run(run: Run) -> Outcome:
    """Prune, reinitialize and train, those first that an earlier try has not."""
    import tfelastic as te
    from pipelines.stages.training import Checkpoint, seconds_of, train

    whole = baseline.build(run)
    ways = json.loads(run.path(plans.FILE).read_text(encoding="utf-8"))
    histories, earlier_seconds = {}, 0.0
    for _, _, name in plans.names(run):
        plan = te.Trajectory.from_json(ways[name]).plan
        net = te.reinitialize(te.prune(whole, plan), seed=run.recipe.seed)
        trained = train(
            net,
            run.learned,
            training=run.recipe.baseline,
            seed=run.recipe.seed,
            checkpoint=Checkpoint(run.workspace, STAGE.name, name),
            reporter=run.reporter,
        )
        run.workspace.save(keras_file(name), net.save)
        histories[name] = trained.history
        earlier_seconds += trained.earlier_seconds
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
