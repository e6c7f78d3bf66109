"""Train all rungs in one set of weights."""

from pipelines.experiments.elastic import ladder
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.experiments.elastic.training_results import JointlyTrained, summary
from pipelines.stages import Outcome, Run, Stage, baseline, data
from pipelines.stages.evaluation import accuracy

FILE = "elastic.keras"


def run(run: Run[ElasticRecipe]) -> Outcome[JointlyTrained]:
    """Train the ElasticModel from the baseline's weights, and recalibrate each rung."""
    import tfelastic as te
    from pipelines.stages.training import recalibrate, train

    dataset, spec = run.dataset, run.recipe.elastic
    net = te.ElasticModel(
        baseline.load(run),
        ladder.planned(run),
        distillation=te.Distillation() if spec.distillation else None,
    )
    trained = train(run, net, dataset.train, training=spec)
    recalibrate(net, spec, dataset.train, seed=run.recipe.seed)
    run.workspace.save(FILE, net.save)
    reached = {name: accuracy(net.rung(name), dataset.test) for name in net.names}
    return Outcome(
        summary(reached),
        JointlyTrained(reached, trained.history),
        files=(FILE,),
        earlier_seconds=trained.earlier_seconds,
    )


STAGE = Stage(
    "joint_training",
    run,
    JointlyTrained,
    keys=("seed", "precision", "elastic"),
    stages=(data.STAGE, baseline.STAGE, ladder.STAGE),
    packages=("tensorflow",),
)
