"""Build the recipe's model and train it by itself: what all that follows is measured against."""

import typing
from pathlib import Path

from pipelines.stages.base import Outcome, Run, Stage, StageError

if typing.TYPE_CHECKING:
    import keras

    from tfelastic import Ladder

FILE = "baseline.keras"


def run(run: Run) -> Outcome:
    """Train the stand-alone model, from the pretrained weights where the recipe names some."""
    import tfelastic as te
    from pipelines.stages.training import TrainingCheckpoint, accuracy, train

    dataset = run.dataset
    model = build(run)
    _rehearse(run, model)
    trained = train(
        model,
        run.learned,
        training=run.recipe.baseline,
        seed=run.recipe.seed,
        checkpoint=TrainingCheckpoint(run.workspace, STAGE.name),
        reporter=run.reporter,
    )
    run.workspace.save(FILE, model.save)
    reached = accuracy(model, dataset.test)
    cost = te.cost(model)
    return Outcome(
        f"{model.name}: {100 * reached:.2f} % on {len(dataset.test):,} test images",
        files=(FILE,),
        results={
            "accuracy": reached,
            "params": cost.params,
            "macs": cost.macs,
            "history": trained.history,
        },
        earlier_seconds=trained.earlier_seconds,
    )


def build(run: Run) -> "keras.Model":
    """Return the recipe's untrained model, checked against the data.

    Raises:
        StageError: Its input or its output does not fit the images or the labels.
        DataError: The pretrained weights are missing or fit another net.
    """
    import keras

    import tfelastic as te

    spec, dataset = run.recipe.model, run.dataset
    classes = len(dataset.classes)
    image_shape = dataset.train.images.shape[1:]
    keras.utils.set_random_seed(run.recipe.seed)
    if spec.name.endswith(".keras"):
        if not Path(spec.name).exists():
            raise StageError(f"there is no model file {spec.name}; mend model.name in the recipe")
        model = keras.saving.load_model(spec.name)
    else:
        options = {"classes": classes, "seed": run.recipe.seed, **spec.options}
        model = te.zoo.build(spec.name, input_shape=image_shape, **options)
    if spec.weights is not None:
        te.zoo.load_resnet_cifar(model, spec.weights)
    _require_fit(model, image_shape, classes, dataset.name)
    return model


def plan_ladder(run: Run, model: "keras.Model") -> "Ladder":
    """Plan the recipe's ladder for a model."""
    import tfelastic as te

    spec = run.recipe.ladder
    return te.ladder(
        model,
        widths=spec.widths,
        depths=spec.depths,
        criterion=spec.criterion,
        strategy=spec.strategy,
        round_to=spec.round_to,
    )


def _rehearse(run: Run, model: "keras.Model") -> None:
    """Let what cannot work fail now, and not after hours of training."""
    import tfelastic as te
    from tfelastic.block_search import SearchObjective
    from tflite_export import get_scheme

    get_scheme(run.recipe.export.scheme)
    if run.recipe.kind == "elastic":
        plan_ladder(run, model)
    elif run.recipe.blocks is not None:
        spec, graph = run.recipe.blocks, te.trace(model)
        for budget in (te.Budget(**spec.budget.given), spec.compared):
            SearchObjective(graph, budget, None, spec.per)


def _require_fit(
    model: "keras.Model", image_shape: tuple[int, ...], classes: int, data: str
) -> None:
    takes, gives = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
    if takes != tuple(image_shape):
        raise StageError(
            f"the model {model.name!r} takes images of shape {takes}, and {data} has images of "
            f"{image_shape}; set data.image_size, or choose another model"
        )
    if gives != (classes,):
        raise StageError(
            f"the model {model.name!r} gives outputs of shape {gives}, and {data} has {classes} "
            f"classes, so it must give ({classes},)"
        )
    activation = getattr(model.layers[-1], "activation", None)
    if getattr(activation, "__name__", "") == "softmax":
        raise StageError(
            f"the model {model.name!r} ends in a softmax, and a run trains and ships logits; "
            f"give its last layer ({model.layers[-1].name!r}) no activation"
        )


STAGE = Stage("baseline", run, needs=("tensorflow",))
