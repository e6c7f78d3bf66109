"""Train the same ladder by prune-and-grow, to set beside joint training."""

import contextlib
from typing import TYPE_CHECKING

from pipelines.experiments.elastic import ladder
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.experiments.elastic.training_results import Grown, summary
from pipelines.stages import Outcome, Run, Stage, baseline, data
from pipelines.stages.evaluation import score
from pipelines.stages.task import TASK_KEYS, Task, task_of

if TYPE_CHECKING:
    import keras

    import tfelastic as te

FILE = "prune_and_grow.keras"


def run(run: Run[ElasticRecipe]) -> Outcome[Grown]:
    """Grow the ladder from its narrowest rung, every level for as many epochs as joint training has."""
    from pipelines.stages.training import recalibrate

    test, original = run.dataset.test, baseline.load(run)
    task = task_of(run, original)
    net = _grow(run, original, task)
    recalibrate(net, run.recipe.elastic, run.training_split, seed=run.recipe.seed)
    run.workspace.save(FILE, net.save)
    reached = {name: score(net.rung(name), test, task.metric) for name in net.names}
    levels = net.growth.levels if net.growth else ()
    histories = {level.name: tuple(map(dict, level.history)) for level in levels}
    found = Grown(reached, histories)
    return Outcome(summary(reached, task.metric), found, files=(FILE,))


def _grow(run: Run[ElasticRecipe], original: "keras.Model", task: Task) -> "te.ElasticModel":
    import keras

    import tfelastic as te
    from pipelines.stages.precision import computing_in
    from pipelines.stages.training import MovesBar, batches_for, compile_for

    spec, seed, comparison = run.recipe.elastic, run.recipe.seed, run.recipe.comparison
    keras.utils.set_random_seed(seed)
    batches = batches_for(spec, run.training_split, seed=seed)
    distilled = comparison is not None and comparison.distillation
    # A level is compiled right before it trains, and computes in the recipe's precision until the last one has.
    with (
        run.reporter.bar(spec.epochs, "epochs of each level") as advance,
        contextlib.ExitStack() as precisions,
    ):

        def compile_level(level: keras.Model) -> None:
            precisions.enter_context(computing_in(run.recipe.precision, level))
            compile_for(level, spec, task=task, steps_per_epoch=len(batches))

        return te.prune_and_grow(
            original,
            batches,
            ladder=ladder.planned(run),
            training=te.LevelTraining(
                epochs=spec.epochs,
                compile=compile_level,
                distillation=te.Distillation(weight=0.5, temperature=2.0) if distilled else None,
                callbacks=[te.StopAtNaN(), MovesBar(advance)],
            ),
            checkpoint_dir=run.scratch_path("levels"),
        )


STAGE = Stage(
    "prune_and_grow",
    run,
    Grown,
    keys=(
        "seed",
        "precision",
        "elastic",
        "validation_images",
        "comparison.distillation",
        *TASK_KEYS,
    ),
    stages=(data.STAGE, baseline.STAGE, ladder.STAGE),
    packages=("tensorflow",),
    trains=True,
)
