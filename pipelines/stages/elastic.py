"""Train all rungs in one set of weights."""

from pipelines.stages import baseline, ladder
from pipelines.stages.base import Outcome, Run, Stage

FILE = "elastic.keras"


def run(run: Run) -> Outcome:
    """Train the ElasticModel from the baseline's weights, and recalibrate each rung."""
    import keras

    import tfelastic as te
    from pipelines.stages.training import TrainingCheckpoint, accuracy, calibration_images, train

    dataset, spec = run.dataset, run.recipe.elastic
    net = te.ElasticModel(
        keras.saving.load_model(run.path(baseline.FILE)),
        ladder.planned(run),
        distillation=te.Distillation() if spec.distillation else None,
    )
    trained = train(
        net,
        dataset.train,
        training=spec,
        seed=run.recipe.seed,
        checkpoint=TrainingCheckpoint(run.workspace, STAGE.name),
        reporter=run.reporter,
    )
    te.recalibrate(net, calibration_images(spec, dataset.train, seed=run.recipe.seed))
    run.workspace.save(FILE, net.save)
    reached = {name: accuracy(net.rung(name), dataset.test) for name in net.names}
    return Outcome(
        "  ".join(f"{name} {100 * share:.2f} %" for name, share in reached.items()),
        files=(FILE,),
        results={"accuracy": reached, "history": trained.history},
        earlier_seconds=trained.earlier_seconds,
    )


STAGE = Stage("elastic", run, needs=("tensorflow",))
