"""`tfelastic nest`: from a Keras model and data to a bundle and its report, in one command."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import options, user_code
from pipelines.cli.ladder_option import LADDER, LadderChoice
from pipelines.cli.run import Output, carry_out, print_prospects

if TYPE_CHECKING:
    import keras

#: What the recipe is called in the folder of the run.
RECIPE_FILE = "recipe.yaml"


@click.command()
@click.argument("model", type=options.PATH, metavar="MODEL.keras")
@click.option(
    "--data",
    "source",
    type=options.PATH,
    required=True,
    metavar="SOURCE",
    help="A folder of images by class or with masks, a .npz file, a tfds name, or synthetic:NAME.",
)
@click.option(
    "-o",
    "--workspace",
    "folder",
    type=options.FOLDER,
    required=True,
    metavar="OUT",
    help="The folder of the run: the bundle, its report, and the recipe to go on with.",
)
@click.option(
    "--ladder",
    type=LADDER,
    default="widths",
    show_default=True,
    metavar="KIND[=A,B,...]",
    help="What the smaller variants are cut by: widths, or shares of the whole model's latency, macs, params, "
    "peak_bytes or tflite_bytes, such as latency=0.75,0.5.",
)
@click.option(
    "--epochs",
    type=options.COUNT,
    default=10,
    show_default=True,
    help="Of the training of all rungs together.",
)
@click.option(
    "--baseline-epochs",
    type=options.COUNT,
    help="Train the whole model by itself first; without it the model is taken as it stands.",
)
@click.option("--batch-size", type=options.COUNT, default=32, show_default=True)
@click.option(
    "--learning-rate",
    type=options.POSITIVE,
    default=1e-3,
    show_default=True,
    help="The highest of AdamW's; it rises first and then falls to 0.",
)
@click.option(
    "--augment",
    type=click.Choice(["shift", "shift-flip", "none"]),
    help="How training images are varied. Default: shift, and for anything but images none.",
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="[OUTPUT=]TASK",
    help="classification, multilabel, segmentation or regression, where loss and data leave it open.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="[OUTPUT=]NAME",
    help="What scores the variants. Default: the task's own.",
)
@options.scheme
@click.option(
    "--target",
    type=click.Choice(["phone", "tflm"]),
    default="phone",
    show_default=True,
    help="What will run it; tflm is TensorFlow Lite for Microcontrollers.",
)
@click.option(
    "--image-size",
    type=options.IMAGE_SIZE,
    metavar="SIDE|HEIGHTxWIDTH",
    help="To which images are resized. Default: what the model takes.",
)
@click.option("--data-dir", type=options.FOLDER, help="Where tfds keeps its data.")
@click.option("--seed", type=options.SEED, default=0, show_default=True)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key of the recipe."
)
@user_code.option
@click.option("--dry-run", is_flag=True, help="Say which stages would run and why; run none.")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json on standard output.")
@options.quiet
@click.pass_context
def command(
    ctx: click.Context, dry_run: bool, as_json: bool, quiet: bool, folder: str, **asked: Any
) -> None:
    """Make MODEL.keras elastic: ladder, training, export, measurement and report, into the folder OUT.

    The model is any functional or sequential one, with raw pixels, 0 to 255, where its input is an
    image. What a run of it asks for is written to OUT/recipe.yaml; the same command again, or
    'tfelastic run' with that recipe, goes on where a stopped run was.

    \b
    tfelastic nest my.keras --data photos/ -o runs/mine
    tfelastic nest my.keras --data photos/ --ladder latency=0.75,0.5 --epochs 30 -o runs/mine
    tfelastic nest wake_word.keras --data sounds.npz --target tflm -o runs/wake_word
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    from pipelines.experiments import parse_recipe
    from pipelines.recipe import written

    tree = _Request(**asked).tree()
    recipe = parse_recipe(tree)
    out = Path(folder)
    if dry_run:
        print_prospects(recipe, out, as_json=as_json)
        return
    arguments = ctx.meta["arguments"]
    text = written(tree, f"Written by: {shlex.join(['tfelastic', *arguments])}")
    carry_out(recipe, out, Output(as_json, quiet), arguments, files={RECIPE_FILE: text})
    if not as_json:
        _print_next(out, recipe.export.target)


@dataclass(frozen=True)
class _Request:
    """What the user asks for."""

    model: str
    source: str
    ladder: LadderChoice
    epochs: int
    baseline_epochs: int | None
    batch_size: int
    learning_rate: float
    augment: str | None
    tasks: tuple[str, ...]
    metrics: tuple[str, ...]
    scheme: str
    target: str
    image_size: int | list[int] | None
    data_dir: str | None
    seed: int
    overrides: tuple[str, ...]

    def tree(self) -> dict[str, Any]:
        """Return the recipe's keys; paths are absolute, so that it can be run from any folder.

        Raises:
            click.UsageError: The model file is missing or holds no Keras model.
            DataError: The source is missing, unknown or malformed.
            StageError: Loss and data leave the task open.
        """
        from pipelines.cli import model_file
        from pipelines.recipe import override
        from pipelines.stages.data import image_size_for, input_shapes

        model = model_file.load_single(self.model)
        source = str(Path(self.source).resolve()) if Path(self.source).exists() else self.source
        size = self.image_size or image_size_for(input_shapes(model), source)
        data = {"source": source, "image_size": list(size) if isinstance(size, tuple) else size}
        if self.data_dir is not None:
            data["data_dir"] = str(Path(self.data_dir).resolve())
        training = {
            "batch_size": self.batch_size,
            "optimizer": "adamw",
            "learning_rate": self.learning_rate,
        }
        first = self.baseline_epochs
        tree: dict[str, Any] = {
            "name": _name(self.model),
            "seed": self.seed,
            "data": {key: value for key, value in data.items() if value is not None},
            "model": {"name": str(Path(self.model).resolve())},
            "baseline": "none" if first is None else {"epochs": first, **training},
            "ladder": {**self.ladder.tree(), "round_to": 4 if self.target == "tflm" else 8},
            "elastic": {"epochs": self.epochs, **training},
            "export": {"scheme": self.scheme, "target": self.target},
        }
        if self.tasks:
            tree["task"] = _by_output(self.tasks)
        if self.metrics:
            tree["metric"] = _by_output(self.metrics)
        for assignment in self.overrides:
            override(tree, assignment)
        self._complete(tree, model)
        return tree

    def _complete(self, tree: dict[str, Any], model: "keras.Model") -> None:
        """Add what follows from the data and was not asked for: the task, and how images are varied."""
        import tfelastic as te
        from pipelines.recipe import Data
        from pipelines.stages.compatibility import with_known_sizes
        from pipelines.stages.run import load_data
        from pipelines.stages.task_inference import infer_task

        dataset = load_data(Data.from_json(tree["data"]), seed=tree["seed"])
        if "task" not in tree:
            tree["task"] = infer_task(with_known_sizes(model, dataset), dataset)
        images = any(map(te.data.is_images, te.data.arrays_of(dataset.train.inputs).values()))
        augment = self.augment or ("shift" if images else "none")
        for training in (tree["baseline"], tree["elastic"]):
            if isinstance(training, dict):
                training.setdefault("augment", None if augment == "none" else augment)


def _name(model: str) -> str:
    """Return the file's name as a recipe may be called."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(model).stem).lstrip("._-")
    return name or "model"


def _by_output(given: tuple[str, ...]) -> str | dict[str, str] | None:
    """Return `VALUE` alone, or `OUTPUT=VALUE` several times as a dict."""
    if not given:
        return None
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    pairs = [each.partition("=") for each in given]
    for output, equals, value in pairs:
        if not equals or not output or not value:
            raise click.UsageError(
                f"expected one value, or OUTPUT=VALUE for each output, received {' '.join(given)}"
            )
    return {output: value for output, _, value in pairs}


def _print_next(out: Path, target: str) -> None:
    """Print what one does with the bundle."""
    from tfelastic_runtime import Bundle

    from pipelines.experiments.elastic import bundle
    from pipelines.records import read_json

    latencies = read_json(out / "profile.json")["latencies"].values()
    middle = sorted(each["p90_us"] for each in latencies)[len(latencies) // 2]
    inputs = Bundle.open(out / bundle.FILE).manifest.inputs
    click.echo("\nNext:")
    for what, line in _next_steps(
        out,
        target,
        budget_ms=middle / 1000,
        takes_image=[each.kind for each in inputs] == ["image"],
    ):
        click.echo(f"  {what}\n    {line}")


def _next_steps(
    out: Path, target: str, *, budget_ms: float, takes_image: bool
) -> Iterator[tuple[str, str]]:
    """Yield what can be done with the bundle, and the command that does it."""

    def quoted(name: str) -> str:
        return shlex.quote(str(out / name))

    bundle = quoted("model.elastic")
    yield (
        "which variant a budget chooses, and why:",
        f"tfelastic select {bundle} --profile {quoted('profile.json')} --budget-ms {budget_ms:.3g}",
    )
    if target == "tflm":
        yield "firmware with it:", f"tfelastic embed {bundle} -o firmware"
        yield (
            "measure it on your board, which runs that firmware:",
            f"tfelastic profile {bundle} --on serial --port /dev/ttyACM0",
        )
    else:
        yield (
            "measure it on your phone:",
            f"tfelastic profile {bundle} --on android --benchmark-model FILE",
        )
        if takes_image:
            yield "an Android app with it:", f"tfelastic app {bundle} -o android"
        yield "for a microcontroller, run this again with:", "--target tflm"
    yield (
        "train longer:",
        f"tfelastic run {quoted(RECIPE_FILE)} --workspace {shlex.quote(str(out))} --set elastic.epochs=100",
    )
