"""Images a second in training: plain Keras, our joint training and growing, and compiled PyTorch on the same cores.

    python -m benchmarks.training_speed --torch-python /path/to/python
    python -m benchmarks.training_speed --nets resnet20 --precision mixed_bfloat16 --json

Joint training counts an image once, however many rungs learn from it; growing is the widest level's. All take turns,
step by step, on the same batches. `data` is the share of a plain Keras step that preparing and augmenting its batch
would take, were it done in between; `traces` is how often each step was traced for two batch sizes, so 2 at most.
PyTorch runs in an interpreter of its own (`training_speed_torch.py`).
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import click
import keras
import numpy as np

import tfelastic as te
from benchmarks.quiet_machine import measured_quietly
from benchmarks.torch_process import answer_of_torch
from tfelastic.data import Batches, Split
from tfelastic.elastic.growing_rung import GrowingRung
from tfelastic.training import frozen_copy

NETS = ("resnet20", "resnet56", "alexnet_cifar", "vgg16_cifar")
WIDTHS = (1.0, 0.8, 0.64, 0.512)
OTHER_SIDE = Path(__file__).with_name("training_speed_torch.py")


def trained_nets(name: str) -> dict[str, keras.Model]:
    """Return the network in each way of training, not compiled."""
    model = te.zoo.build(name, input_shape=(32, 32, 3), classes=10)
    ladder = te.ladder(model, widths=WIDTHS)
    growing = GrowingRung(
        te.ElasticModel(model, ladder, scales="own"),
        ladder.names[0],
        teacher=frozen_copy(model),
        distillation=None,
    )
    return {
        "keras": te.prune(model, ladder.rungs[0].plan),
        "joint": te.ElasticModel(model, ladder),
        "growing": growing,
    }


def compiled(model: keras.Model) -> Callable[[], int]:
    """Compile a model as recipes do; return what tells how often its step was traced."""
    traces = 0
    compute_loss = model.compute_loss

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal traces
        traces += 1  # Python runs while the step is traced, and not in the step.
        return compute_loss(*args, **kwargs)

    model.compute_loss = counted
    model.compile(
        keras.optimizers.SGD(1e-3, momentum=0.9, nesterov=True, weight_decay=5e-4),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=keras.backend.backend() == "jax",
    )
    return lambda: traces


def measure(name: str, *, batch_size: int, rounds: int) -> dict[str, Any]:
    """Return images a second of each way, the share of data time, and the tracings."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (batch_size * (rounds + 2), 32, 32, 3), dtype=np.uint8)
    split = Split(images, random.integers(0, 10, len(images)))
    batches = Batches(split, batch_size=batch_size, augment="shift-flip", seed=0)
    nets = trained_nets(name)
    counts = {way: compiled(net) for way, net in nets.items()}
    taken: dict[str, list[float]] = {way: [] for way in ("data", *nets)}
    for number in range(rounds + 2):
        start = time.perf_counter()
        x, y = batches[number]
        taken["data"].append(time.perf_counter() - start)
        if number == 0:  # An epoch's last batch is smaller.
            x, y = x[: batch_size // 2], y[: batch_size // 2]
        for way, net in nets.items():
            start = time.perf_counter()
            float(net.train_on_batch(x, y)[0])
            taken[way].append(time.perf_counter() - start)
    # The first two steps trace for their batch sizes.
    seconds = {way: statistics.median(values[2:]) for way, values in taken.items()}
    return {
        "net": name,
        "batch_size": batch_size,
        "precision": keras.config.dtype_policy().name,
        **{way: batch_size / seconds[way] for way in nets},
        "data_share": seconds["data"] / seconds["keras"],
        "traces": {way: count() for way, count in counts.items()},
    }


def torch_speed(
    python: str, name: str, *, batch_size: int, rounds: int, precision: str
) -> float | None:
    """Return PyTorch's images a second; `None` where it is not installed or has no such net here."""
    return answer_of_torch([python, str(OTHER_SIDE), name, str(batch_size), str(rounds), precision])


def both_sides(name: str, python: str, *, precision: str, **sizes: int) -> dict[str, Any]:
    """Measure ours and PyTorch's."""
    found = measure(name, **sizes)
    return found | {"torch": torch_speed(python, name, precision=precision, **sizes)}


@click.command()
@click.option("--nets", default=",".join(NETS), help="Names of the zoo, separated by commas.")
@click.option("--batch-size", default=128, show_default=True)
@click.option("--rounds", default=8, show_default=True, help="Steps of each way that are timed.")
@click.option("--precision", default="float32", show_default=True, help="Or mixed_bfloat16.")
@click.option("--torch-python", default=sys.executable, help="An interpreter with torch.")
@click.option("--quick", is_flag=True, help="ResNet-20 alone, 3 steps.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(nets: str, torch_python: str, *, quick: bool, as_json: bool, **options: Any) -> None:
    """Measure, and print a table."""
    if quick:
        nets, options["rounds"] = NETS[0], 3
    keras.config.set_dtype_policy(options["precision"])
    found = [
        measured_quietly(partial(both_sides, name, torch_python, **options))
        for name in nets.split(",")
    ]
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    click.echo(
        f"{'images/s':16}{'Keras':>8}{'joint':>8}{'growing':>9}{'torch':>8}{'data':>8}  traces"
    )
    for each in found:
        torch = "–" if each["torch"] is None else f"{each['torch']:.0f}"
        click.echo(
            f"{each['net']:16}{each['keras']:8.0f}{each['joint']:8.0f}{each['growing']:9.0f}{torch:>8}"
            f"{each['data_share']:8.1%}  {each['traces']}"
        )


if __name__ == "__main__":
    main()
