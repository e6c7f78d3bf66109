"""How long a step of joint training takes beside one step of each rung's net trained by itself.

Both are compiled alike, see the same images and are timed in turns, so a busy machine slows both.

    python -m benchmarks.epoch_cost
    python -m benchmarks.epoch_cost --nets vgg16_cifar --widths 1,0.8,0.64,0.512 --json
"""

import json
import time
from functools import partial
from typing import Any

import click
import keras
import numpy as np

import tfelastic as te
from benchmarks.quiet_machine import measured_quietly

NETS = ("resnet20", "resnet56", "alexnet_cifar", "vgg16_cifar")


def _compiled(model: keras.Model, *, xla: bool) -> keras.Model:
    model.compile(
        keras.optimizers.SGD(1e-3, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=xla,
    )
    return model


def _seconds(model: keras.Model, images: Any, labels: Any) -> float:
    start = time.perf_counter()
    float(model.train_on_batch(images, labels)[0])
    return time.perf_counter() - start


def measure(
    name: str,
    widths: tuple[float, ...],
    *,
    middle_rungs: int,
    batch_size: int,
    rounds: int,
    xla: bool,
) -> dict[str, Any]:
    """Return the median seconds per step of joint training and of every rung's net alone."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(batch_size, 32, 32, 3)).astype("float32")
    labels = rng.integers(0, 10, batch_size)
    model = te.zoo.build(name, input_shape=(32, 32, 3), classes=10)
    ladder = te.ladder(model, widths=widths, round_to=8)
    net = te.ElasticModel(model, ladder, middle_rungs=middle_rungs)
    alone = {rung.name: _compiled(te.prune(model, rung.plan), xla=xla) for rung in ladder.rungs}
    trained = {"joint": _compiled(net, xla=xla), **alone}
    for each in trained.values():
        _seconds(each, images, labels)
    taken: dict[str, list[float]] = {key: [] for key in trained}
    for _ in range(rounds):
        for key, each in trained.items():
            taken[key].append(_seconds(each, images, labels))
    medians = {key: float(np.median(values)) for key, values in taken.items()}
    together = medians.pop("joint")
    return {
        "net": name,
        "widths": list(widths),
        "middle_rungs": middle_rungs,
        "batch_size": batch_size,
        "xla": xla,
        "alone_s": medians,
        "joint_s": together,
        "ratio": together / sum(medians.values()),
    }


@click.command()
@click.option("--nets", default=",".join(NETS), help="Names of the zoo, separated by commas.")
@click.option("--widths", default="1,0.8,0.64,0.512", help="The ladder's widths.")
@click.option("--middle-rungs", default=2, show_default=True, help="Of the joint training.")
@click.option("--batch-size", default=128, show_default=True)
@click.option("--rounds", default=8, show_default=True, help="Steps of each net that are timed.")
@click.option("--xla", is_flag=True, help="Compile the steps with XLA.")
@click.option("--quick", is_flag=True, help="ResNet-20 alone, 3 steps.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(nets: str, widths: str, *, quick: bool, as_json: bool, **options: Any) -> None:
    """Time joint training against its rungs' nets, side by side."""
    ladder = tuple(float(width) for width in widths.split(","))
    if quick:
        nets, options["rounds"] = NETS[0], 3
    results = [
        measured_quietly(partial(measure, name, ladder, **options)) for name in nets.split(",")
    ]
    if as_json:
        click.echo(json.dumps(results, indent=2))
        return
    click.echo(f"{'net':16} {'joint':>9} {'alone, sum':>11} {'ratio':>6}   alone, each")
    for each in results:
        alone = each["alone_s"]
        parts = "  ".join(f"{name} {1000 * value:.0f} ms" for name, value in alone.items())
        total = 1000 * sum(alone.values())
        click.echo(
            f"{each['net']:16} {1000 * each['joint_s']:6.0f} ms {total:8.0f} ms "
            f"{each['ratio']:6.2f}   {parts}"
        )


if __name__ == "__main__":
    main()
