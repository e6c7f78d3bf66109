"""Train all rungs in one set of weights."""

from pipelines.experiments.elastic import ladder
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.experiments.elastic.training_results import JointlyTrained, output_scores, summary
from pipelines.stages import Outcome, Run, Stage, baseline, data
from pipelines.stages.evaluation import score
from pipelines.stages.history import early_stop
from pipelines.stages.task import TASK_KEYS, task_of

FILE = "elastic.keras"


def run(run: Run[ElasticRecipe]) -> Outcome[JointlyTrained]:
    """Train the ElasticModel from the baseline's weights, and recalibrate each rung."""
    import tfelastic as te
    from pipelines.stages.training import recalibrate, train

    spec, original = run.recipe.elastic, baseline.load(run)
    test, split = run.dataset.test, run.training_split
    task = task_of(run, original)
    net = te.ElasticModel(
        original,
        ladder.planned(run),
        distillation=te.Distillation() if spec.distillation else None,
        middle_rungs=spec.middle_rungs,
    )
    trained = train(run, net, split, training=spec, task=task)
    recalibrate(net, spec, split, seed=run.recipe.seed)
    run.workspace.save(FILE, net.save)
    reached = {name: score(net.rung(name), test, task.metric) for name in net.names}
    return Outcome(
        "; ".join(filter(None, (summary(reached, task.metric), early_stop(trained.history, spec)))),
        JointlyTrained(reached, output_scores(net, test, task.metric), trained.history),
        files=(FILE,),
        earlier_seconds=trained.earlier_seconds,
    )


STAGE = Stage(
    "joint_training",
    run,
    JointlyTrained,
    keys=("seed", "precision", "distribution", "elastic", "validation_images", *TASK_KEYS),
    stages=(data.STAGE, baseline.STAGE, ladder.STAGE),
    packages=("tensorflow",),
    trains=True,
)
