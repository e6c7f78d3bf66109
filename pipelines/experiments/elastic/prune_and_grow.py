"""Train the same ladder by prune-and-grow, to set beside joint training."""

import contextlib

from pipelines.experiments.elastic import ladder
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.experiments.elastic.training_results import Grown, summary
from pipelines.stages import Outcome, Run, Stage, baseline, data
from pipelines.stages.evaluation import accuracy

FILE = "prune_and_grow.keras"


def run(run: Run[ElasticRecipe]) -> Outcome[Grown]:
    """Grow the ladder from its narrowest rung, every level for as many epochs as joint training has."""
    import keras

    import tfelastic as te
    from pipelines.stages.precision import computing_in
    from pipelines.stages.training import (
        MovesBar,
        StopsWhereDiverged,
        batches_for,
        compile_for,
        recalibrate,
    )

    dataset, spec, seed = run.dataset, run.recipe.elastic, run.recipe.seed
    keras.utils.set_random_seed(seed)
    batches = batches_for(spec, dataset.train, seed=seed)
    comparison = run.recipe.comparison
    distilled = comparison is not None and comparison.distillation
    # A level is compiled right before it trains, and computes in the recipe's precision until the last one has.
    with (
        run.reporter.bar(spec.epochs, "epochs of each level") as advance,
        contextlib.ExitStack() as precisions,
    ):

        def compile_level(level: keras.Model) -> None:
            precisions.enter_context(computing_in(run.recipe.precision, level))
            compile_for(level, spec, steps_per_epoch=len(batches))

        net = te.prune_and_grow(
            baseline.load(run),
            batches,
            ladder=ladder.planned(run),
            epochs=spec.epochs,
            compile=compile_level,
            distillation=te.Distillation(weight=0.5, temperature=2.0) if distilled else None,
            checkpoint_dir=run.scratch_path("levels"),
            callbacks=[StopsWhereDiverged("a level"), MovesBar(advance)],
        )
    recalibrate(net, spec, dataset.train, seed=seed)
    run.workspace.save(FILE, net.save)
    reached = {name: accuracy(net.rung(name), dataset.test) for name in net.names}
    levels = net.growth.levels if net.growth else ()
    histories = {level.name: tuple(map(dict, level.history)) for level in levels}
    return Outcome(summary(reached), Grown(reached, histories), files=(FILE,))


STAGE = Stage(
    "prune_and_grow",
    run,
    Grown,
    keys=("seed", "precision", "elastic", "comparison.distillation"),
    stages=(data.STAGE, baseline.STAGE, ladder.STAGE),
    packages=("tensorflow",),
)
