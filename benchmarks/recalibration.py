"""What a trained network's accuracy owes to the images that its BatchNorm statistics were measured on.

    python -m benchmarks.recalibration                                # ResNet-8 on digits, trained here, augmented
    python -m benchmarks.recalibration --net net.keras --data DIR     # a trained network, a tfds directory

The network should have been trained with the augmentation `shift-flip`, as the recipes do.
"""

import click
import keras

import tfelastic as te
from pipelines.recipe import Training
from pipelines.stages.evaluation import score
from pipelines.stages.task import Task
from pipelines.stages.training import batches_for, calibration_inputs, compile_for
from tfelastic.data import Dataset, limited

_EPOCHS = 8


def trained(data: Dataset) -> keras.Model:
    """Return a ResNet-8 that was trained on shifted and mirrored images."""
    model = te.zoo.build("resnet8", input_shape=data.train.images.shape[1:], classes=10)
    training = Training(epochs=_EPOCHS, batch_size=32)
    batches = batches_for(training, data.train, seed=0)
    compile_for(model, training, task=Task.of(model, data), steps_per_epoch=len(batches))
    model.fit(batches, epochs=_EPOCHS, shuffle=False, verbose=0)
    return model


@click.command(help=__doc__)
@click.option("--net", "file", type=click.Path(exists=True), help="A saved network.")
@click.option(
    "--data", "source", default="digits", show_default=True, help="digits, or a tfds directory."
)
@click.option("--count", default=2000, show_default=True, help="Test images.")
def main(file: str | None, source: str, count: int) -> None:
    """Print the accuracies."""
    keras.utils.set_random_seed(0)
    data = te.data.load(source)
    net = keras.saving.load_model(file) if file else trained(data)
    test = limited(data.test, min(count, len(data.test)), seed=0)
    metric = te.metrics.ClassAccuracy()
    click.echo("| statistics | accuracy |\n| --- | ---: |")
    click.echo(f"| as trained | {score(net, test, metric):.2%} |")
    for name, augment in (("plain images", None), ("augmented images", "shift-flip")):
        te.recalibrate(net, calibration_inputs(Training(augment=augment), data.train, seed=0))
        click.echo(f"| measured on {name} | {score(net, test, metric):.2%} |")


if __name__ == "__main__":
    main()
