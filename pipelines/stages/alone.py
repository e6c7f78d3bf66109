"""Train each rung's net by itself, for as many epochs: what sharing the weights is measured against."""

import json

from pipelines.stages import baseline, ladder
from pipelines.stages.base import Outcome, Run, Stage


def run(run: Run) -> Outcome:
    """Cut each rung out of the baseline and train it on the labels, those first that an earlier try has not."""
    import keras

    import tfelastic as te
    from pipelines.stages.training import Checkpoint, accuracy, train

    dataset, recipe = run.dataset, run.recipe
    model = keras.saving.load_model(run.path(baseline.FILE))
    rungs = te.Ladder.from_json(json.loads(run.path(ladder.FILE).read_text(encoding="utf-8")))
    reached, histories, earlier_seconds = {}, {}, 0.0
    for rung in rungs.rungs:
        net = te.prune(model, rung.plan)
        trained = train(
            net,
            dataset.train,
            training=recipe.elastic,
            seed=recipe.seed,
            checkpoint=Checkpoint(run.workspace, STAGE.name, rung.name),
            reporter=run.reporter,
        )
        run.workspace.save(keras_file(rung.name), net.save)
        reached[rung.name] = accuracy(net, dataset.test)
        histories[rung.name] = trained.history
        earlier_seconds += trained.earlier_seconds
    return Outcome(
        "  ".join(f"{name} {100 * share:.2f} %" for name, share in reached.items()),
        files=tuple(keras_file(name) for name in rungs.names),
        results={"accuracy": reached, "history": histories},
        earlier_seconds=earlier_seconds,
    )


def keras_file(name: str) -> str:
    """Return the name of a rung's own net in the workspace."""
    return f"alone/{name}.keras"


STAGE = Stage("alone", run, needs=("tensorflow",))
