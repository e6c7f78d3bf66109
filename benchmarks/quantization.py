"""What int8 costs each variant: with kernels of its own, with shared ones, and trained for it.

    python -m benchmarks.quantization                                    # ResNet-8 on digits, trained here
    python -m benchmarks.quantization --net elastic.keras --data DIR     # a trained network, a tfds directory
    python -m benchmarks.quantization --net elastic.keras --data DIR --no-qat

Columns: Keras; `own`, each variant quantized by itself; `shared`, its kernels slices of the widest's;
`aware`, shared too, after training all rungs with rounded kernels; `tfmot`, the variant tuned by itself with
scheme int8-qat, which shares nothing; `tflm`, the share of outputs of `shared` on which TFLM and LiteRT's reference
kernels differ by at most one step.
"""

import json
from typing import Any

import click
import keras
import numpy as np

import tfelastic as te
import tflite_export as tx
from tflite_export._verify import compare_tflm
from tflite_export.keras_models import float_outputs
from tflite_export.quantize.elastic_qat import QuantizationAware
from tflite_export.runtimes import predict

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
STATISTICS_IMAGES = 2048


def trained(data: Any, *, epochs: int, xla: bool) -> te.ElasticModel:
    """Return an elastic ResNet-8, trained on the data."""
    model = te.zoo.build("resnet8", input_shape=data.train.images.shape[1:], classes=10)
    for step in ("model", "net"):
        if step == "net":
            model = te.ElasticModel(model, te.ladder(model))
        model.compile(keras.optimizers.Adam(2e-3), LOSS, jit_compile=xla)
        images = data.train.images.astype("float32")
        model.fit(images, data.train.labels, batch_size=32, epochs=epochs, verbose=0)
    return model


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of right answers, in percent."""
    return 100 * float((logits.argmax(axis=1) == labels).mean())


def files(net: te.ElasticModel, samples: np.ndarray) -> dict[str, tuple[bytes, bytes]]:
    """Return each variant's int8 file with its own and with shared kernels."""
    found: dict[str, tuple[bytes, bytes]] = {}
    for name in net.names:
        own = tx.convert(net.cut(name), samples=samples)
        widest = found[net.names[0]][0] if found else own
        shared, _ = tx.share_kernels(own, widest, tx.shared_kernels(net, name))
        found[name] = own, shared
    return found


def measure(net: te.ElasticModel, data: Any, *, count: int, qat: bool) -> list[dict[str, Any]]:
    """Return one row of accuracies, in percent, per variant."""
    samples, images, labels = data.train.images, data.test.images[:count], data.test.labels[:count]
    rows = []
    for name, (own, shared) in files(net, samples).items():
        row = {
            "variant": name,
            "keras": accuracy(float_outputs(net.cut(name), [images])[0], labels),
            "own": accuracy(predict(own, images), labels),
            "shared": accuracy(predict(shared, images), labels),
            "tflm": 100 * compare_tflm(shared, [images]).within_one_step,
        }
        if qat:
            tuned = tx.convert(net.cut(name), scheme="int8-qat", samples=samples)
            row["tfmot"] = accuracy(predict(tuned, images), labels)
        rows.append(row)
    return rows


def train_aware(net: te.ElasticModel, data: Any, *, epochs: int, xla: bool) -> None:
    """Train all rungs on rounded kernels, and measure their statistics anew."""
    images = data.train.images.astype("float32")
    aware = QuantizationAware(net)
    aware.compile(keras.optimizers.Adam(1e-4), LOSS, jit_compile=xla)
    aware.fit(images, data.train.labels, batch_size=32, epochs=epochs, verbose=0)
    net.recalibrate(images[:STATISTICS_IMAGES])


@click.command(help=__doc__)
@click.option("--net", "file", type=click.Path(exists=True), help="A saved elastic network.")
@click.option(
    "--data", "source", default="digits", show_default=True, help="digits, or a tfds directory."
)
@click.option("--count", default=10_000, show_default=True, help="Test images.")
@click.option("--epochs", default=8, show_default=True, help="Epochs per training on digits.")
@click.option("--qat/--no-qat", default=True, show_default=True, help="Whether to train for int8.")
@click.option("--xla", is_flag=True, help="Train with XLA, which on a CPU is slower.")
def main(file: str | None, source: str, count: int, epochs: int, qat: bool, xla: bool) -> None:
    """Print the table."""
    data = te.data.load(source)
    if file:
        net = keras.saving.load_model(file)
    else:
        net = trained(data, epochs=epochs, xla=xla)
        net.recalibrate(data.train.images[:STATISTICS_IMAGES].astype("float32"))
    rows = measure(net, data, count=count, qat=qat)
    if qat:
        train_aware(net, data, epochs=1, xla=xla)
        images, labels = data.test.images[:count], data.test.labels[:count]
        for row, (_, shared) in zip(rows, files(net, data.train.images).values(), strict=True):
            row["aware"] = accuracy(predict(shared, images), labels)
    columns = list(rows[0])
    click.echo("| " + " | ".join(columns) + " |")
    click.echo("| --- |" + " ---: |" * (len(columns) - 1))
    for row in rows:
        cells = [f"{value:.2f}" if isinstance(value, float) else value for value in row.values()]
        click.echo("| " + " | ".join(cells) + " |")
    click.echo(json.dumps(rows))


if __name__ == "__main__":
    main()
