"""Train each rung's net by itself, for as many epochs: what sharing the weights is measured against."""

from pipelines.stages import baseline, ladder
from pipelines.stages.base import Outcome, Run, Stage


def run(run: Run) -> Outcome:
    """Cut each rung out of the baseline and train it on the labels, those first that an earlier try has not."""
    import keras

    import tfelastic as te
    from pipelines.stages.training import accuracy, train_each

    recipe, rungs = run.recipe, ladder.planned(run)
    model = keras.saving.load_model(run.path(baseline.FILE))
    histories, earlier_seconds = train_each(
        run,
        STAGE.name,
        ((rung.name, te.prune(model, rung.plan)) for rung in rungs.rungs),
        training=recipe.elastic,
        split=run.dataset.train,
        keras_file=keras_file,
    )
    reached = {
        name: accuracy(keras.saving.load_model(run.path(keras_file(name))), run.dataset.test)
        for name in rungs.names
    }
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
