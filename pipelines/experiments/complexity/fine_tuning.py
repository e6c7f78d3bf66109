"""Prune the trained baseline by rank and fine-tune it: what training directly is measured against."""

import dataclasses
from functools import partial
from typing import TYPE_CHECKING

from pipelines.experiments.complexity import plans
from pipelines.experiments.complexity.direct_training import TrainedNets, keras_file, summary
from pipelines.experiments.complexity.recipe import BudgetComparison, ComplexityRecipe
from pipelines.stages import Outcome, Run, Stage, baseline, data
from pipelines.stages.task import TASK_KEYS, task_of

if TYPE_CHECKING:
    import keras

#: What the method is called where modes have their names.
RANKED = "ranked"


def run(run: Run[ComplexityRecipe]) -> Outcome[TrainedNets]:
    """Cut each budget's net out of the baseline by L2 norms, and train it for as many epochs as the baseline had."""
    import tfelastic as te
    from pipelines.stages.training import train_each

    spec, original = run.recipe.complexity, baseline.load(run)
    task = task_of(run, original)

    def ranked(comparison: BudgetComparison) -> "keras.Model":
        plan = te.plan(
            original,
            budget=te.Budget(**comparison.budget.given),
            strategy="global",
            criterion="l2",
            round_to=spec.round_to,
            floor=spec.floor,
        )
        return te.prune(original, plan)

    histories, earlier_seconds = train_each(
        run,
        {each.net_name(RANKED): partial(ranked, each) for each in spec.comparisons},
        training=dataclasses.replace(run.recipe.baseline, learning_rate=spec.fine_tuning_rate),
        task=task,
        split=run.training_split,
        keras_file=keras_file,
    )
    return Outcome(
        summary(histories),
        TrainedNets(histories),
        files=tuple(keras_file(name) for name in histories),
        earlier_seconds=earlier_seconds,
    )


STAGE = Stage(
    "fine_tuning",
    run,
    TrainedNets,
    keys=(
        "seed",
        "baseline",
        "precision",
        "distribution",
        "validation_images",
        *plans.PLAN_KEYS,
        "complexity.fine_tuning_rate",
        *TASK_KEYS,
    ),
    stages=(data.STAGE, baseline.STAGE),
    packages=("tensorflow",),
    trains=True,
)
