"""Prune the trained baseline by rank and fine-tune it: what training directly is measured against."""

import dataclasses

from pipelines.sections import Contest
from pipelines.stages import baseline, plans
from pipelines.stages.base import Outcome, Run, Stage
from pipelines.stages.train_pruned import keras_file

#: What the way is called where modes have their names.
RANKED = "ranked"


def run(run: Run) -> Outcome:
    """Cut each budget's net out of the baseline by L2 norms, and train it for as many epochs as the baseline had."""
    import keras

    import tfelastic as te
    from pipelines.stages.training import seconds_of, train_each

    spec = plans.spec_of(run)
    whole = keras.saving.load_model(run.path(baseline.FILE))

    def ranked(contest: Contest) -> keras.Model:
        plan = te.plan(
            whole,
            budget=te.Budget(**contest.budget.given),
            strategy="global",
            criterion="l2",
            round_to=spec.round_to,
            floor=spec.floor,
        )
        return te.prune(whole, plan)

    histories, earlier_seconds = train_each(
        run,
        STAGE.name,
        ((plans.name_of(each, RANKED), ranked(each)) for each in spec.contests),
        training=dataclasses.replace(run.recipe.baseline, learning_rate=spec.fine_tuning_rate),
        split=run.learned,
        keras_file=keras_file,
    )
    return Outcome(
        "  ".join(f"{name} {seconds_of(history):.0f} s" for name, history in histories.items()),
        files=tuple(keras_file(name) for name in histories),
        results={"history": histories},
        earlier_seconds=earlier_seconds,
    )


STAGE = Stage("fine_tuned", run, needs=("tensorflow",))
