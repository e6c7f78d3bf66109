"""Train the same ladder by prune-and-grow, to set beside joint training."""

from pipelines.stages import baseline, ladder
from pipelines.stages.base import Outcome, Run, Stage

FILE = "grown.keras"


def run(run: Run) -> Outcome:
    """Grow the ladder from its narrowest rung, every level for as many epochs as joint training has."""
    import keras

    import tfelastic as te
    from pipelines.stages.training import MovesBar, accuracy, batches_for, compile_for

    dataset, recipe = run.dataset, run.recipe
    keras.utils.set_random_seed(recipe.seed)
    batches = batches_for(recipe.elastic, dataset.train, seed=recipe.seed)
    taught = recipe.comparison is not None and recipe.comparison.distillation
    with run.reporter.bar(recipe.elastic.epochs, "epochs of each level") as advance:
        net = te.prune_and_grow(
            keras.saving.load_model(run.path(baseline.FILE)),
            batches,
            ladder=ladder.planned(run),
            epochs=recipe.elastic.epochs,
            compile=lambda level: compile_for(level, recipe.elastic, steps_per_epoch=len(batches)),
            distillation=te.Distillation(weight=0.5, temperature=2.0) if taught else None,
            checkpoint_dir=run.path(run.workspace.begun(STAGE.name, "levels")),
            callbacks=[MovesBar(advance)],
        )
    run.workspace.save(FILE, net.save)
    reached = {name: accuracy(net.rung(name), dataset.test) for name in net.names}
    return Outcome(
        "  ".join(f"{name} {100 * share:.2f} %" for name, share in reached.items()),
        files=(FILE,),
        results={"accuracy": reached, "growth": net.growth.to_json() if net.growth else None},
    )


STAGE = Stage("grown", run, needs=("tensorflow",))
