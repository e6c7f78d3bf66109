"""`tfelastic export`: a Keras model, elastic or not, into one bundle."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import model_file, options, output_file
from pipelines.cli.json_output import echo_json

if TYPE_CHECKING:
    import keras

    import tfelastic as te
    from tfelastic.data import Dataset


@click.command()
@click.argument("model", type=options.PATH, metavar="MODEL.keras")
@click.option(
    "-o",
    "--output",
    type=options.PATH,
    required=True,
    metavar="OUT.elastic",
    help="The bundle to write.",
)
@click.option(
    "--data",
    type=options.PATH,
    required=True,
    metavar="SOURCE",
    help="Examples to calibrate with and to verify on: digits, a .npz file, a tfds name, a prepared "
    "tfds directory or an image folder.",
)
@click.option(
    "--metric",
    metavar="NAME",
    help="What scores the variants, such as mean_iou or mae; by default what the model's loss says.",
)
@options.scheme
@click.option(
    "--target",
    type=click.Choice(["phone", "tflm"]),
    default="phone",
    show_default=True,
    help="What will run it: tflm allows its operators alone, and TFLM must agree with LiteRT.",
)
@click.option(
    "--arena",
    type=click.Choice(["planned", "tflm"]),
    default="planned",
    show_default=True,
    help="Who lays out the arena of a file for tflm: a plan in the file, or TFLM itself.",
)
@options.kernels
@click.option(
    "--per-channel-dense/--per-tensor-dense",
    default=None,
    help="Scales of dense layers: per channel, but for int16x8 on tflm, where CMSIS-NN takes one per tensor; "
    "older forks of TFLM know no others.",
)
@click.option(
    "--raw-pixels/--real-values",
    default=None,
    help="What inputs of an image's shape take: pixels from 0 to 255, or real values as the device computes them; by "
    "default what the data say.",
)
@click.option(
    "--calibration",
    type=options.COUNT,
    default=200,
    show_default=True,
    help="How many training images calibrate; int8-qat learns from them too, so give it thousands.",
)
@click.option(
    "--tolerance",
    type=options.POSITIVE,
    default=1.0,
    show_default=True,
    help="Times the scheme's bounds of verification.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Stop at a variant that strays from Keras, instead of leaving it out.",
)
@click.option(
    "--keep-all",
    is_flag=True,
    help="Pack also variants that are hardly faster than another here, or slower and no more accurate.",
)
@click.option(
    "--seed",
    type=options.SEED,
    default=0,
    show_default=True,
    help="Says which examples calibrate, and which test where the data have no test split.",
)
@options.quiet
@options.as_json
def command(model: str, as_json: bool, quiet: bool, **asked: Any) -> None:
    """Convert every rung of MODEL.keras, verify each against Keras, and pack them into one bundle.

    A model that is not elastic becomes a bundle of one variant. A variant that strays from Keras by
    more than the scheme allows is reported and left out; --strict stops there, and writes nothing. Those
    for a phone are timed here, in turns: one that is not 1.1 times as fast as the one above it, or slower
    than another and no more accurate, is left out as well.

    \b
    tfelastic export elastic.keras -o net.elastic --data cifar10
    tfelastic export net.keras -o net.elastic --data photos/ --scheme float32
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    request = _Request(**asked)
    request.check()
    loaded = model_file.load(model)
    import tfelastic as te
    import tflite_export as tx
    from pipelines.experiments.elastic.export import scaled
    from pipelines.progress import Reporter
    from pipelines.stages.compatibility import with_known_sizes
    from pipelines.stages.data import input_shapes, load_shaped
    from pipelines.stages.evaluation import some_examples

    elastic = isinstance(loaded, te.ElasticModel)
    widest = loaded.cut(loaded.names[0]) if elastic else loaded
    dataset = load_shaped(input_shapes(widest), request.data, seed=request.seed)
    net = loaded if elastic else _of_one_rung(with_known_sizes(loaded, dataset))
    reporter = Reporter(quiet=quiet)
    with reporter.stage("export"), reporter.bar(len(net.names), "variants") as advance:
        report = tx.export(
            net,
            request.output,
            samples=some_examples(dataset.train, request.calibration, seed=request.seed),
            test=dataset.test,
            scheme=request.scheme,
            target=request.target,
            arena=request.arena,
            kernels=request.kernels,
            per_channel_dense=request.per_channel_dense,
            raw_pixels=request.raw_pixels,
            labels=_labels(widest, dataset) or None,
            metric=request.metric,
            tolerance=scaled(tx.SCHEMES[request.scheme].tolerance, request.tolerance),
            strays="stop" if request.strict else "leave out",
            keep_all=request.keep_all,
            seed=request.seed,
            progress=lambda name, done, total: advance(done, name),
        )
    if as_json:
        echo_json(report.to_json())
    else:
        click.echo(str(report))


@dataclass(frozen=True)
class _Request:
    """What the user asks for, MODEL.keras and the form of the answer aside."""

    output: str
    data: str
    metric: str | None
    scheme: str
    target: str
    arena: str
    kernels: str
    per_channel_dense: bool | None
    raw_pixels: bool | None
    calibration: int
    tolerance: float
    strict: bool
    keep_all: bool
    seed: int

    def check(self) -> None:
        """Refuse what cannot be carried out, before any work is done for it."""
        output_file.check(self.output, ".elastic")


def _of_one_rung(model: "keras.Model") -> "te.ElasticModel":
    """Return a model as an elastic one, whose only rung is the whole."""
    import tfelastic as te

    whole = te.KeepPlan(te.trace(model).fingerprint)
    return te.ElasticModel(model, te.Ladder((te.Rung("w100", 1.0, whole),)))


def _labels(
    model: "keras.Model", dataset: "Dataset"
) -> dict[str, tuple[str, ...]] | tuple[str, ...]:
    """Return the names of classes, of several outputs by name; one number alone is no scores of classes."""
    if len(model.outputs) == 1:
        return dataset.classes_of() if model.outputs[0].shape[-1] > 1 else ()
    sizes = {
        name: each.shape[-1] for name, each in zip(model.output_names, model.outputs, strict=True)
    }
    return {
        name: dataset.classes_of(name)
        for name, size in sizes.items()
        if size > 1 and dataset.classes_of(name)
    }
