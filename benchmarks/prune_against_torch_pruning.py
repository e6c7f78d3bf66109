"""Prune a trained CIFAR ResNet in one shot and fine-tune it, beside Torch-Pruning's group-norm pruner on the same net.

    python -m benchmarks.prune_against_torch_pruning baseline.keras --data DIR --torch-python PYTHON --folder FOLDER

`baseline.keras` is one of the zoo's CIFAR ResNets with shortcut "A", such as the baseline that a run of the recipe
resnet56_blocks_cifar10 leaves. Both sides start from its weights, cut channels until the multiply-adds have fallen by
the wanted factor, and train for as many epochs with the same optimizer and learning rates on the same batches, to the
last pixel (`prune_against_torch_pruning_torch.py`, in an interpreter with torch). Neither has a teacher. Torch-Pruning
has no rule for the zeros that shortcut "A" pads with, so there a fixed convolution does the same.

Each result is kept in FOLDER, and the same command goes on with the next one. `--quick` needs no net and no data: it
trains ResNet-8 on the digits.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import click
import keras
import numpy as np

import tfelastic as te
from benchmarks.torch_process import answer_of_torch
from pipelines.stages import PairedDifference
from pipelines.stages.answers import RIGHT, Answers
from tfelastic.data import Batches, Dataset, Split
from tfelastic.files import write_atomically
from tfelastic.zoo.pretrained import pytorch_state

OTHER_SIDE = Path(__file__).with_name("prune_against_torch_pruning_torch.py")


@dataclass(frozen=True)
class Tuning:
    """How both sides train a pruned net: SGD with Nesterov momentum, the learning rate falling along a cosine to 0."""

    epochs: int
    batch_size: int = 128
    learning_rate: float = 0.02
    weight_decay: float = 5e-4
    seed: int = 0

    def __call__(self, model: keras.Model, split: Split) -> None:
        """Train a Keras model in place."""
        batches = Batches(split, batch_size=self.batch_size, augment="shift-flip", seed=self.seed)
        rate = keras.optimizers.schedules.CosineDecay(
            self.learning_rate, self.epochs * len(batches)
        )
        optimizer = keras.optimizers.SGD(
            rate, momentum=0.9, nesterov=True, weight_decay=self.weight_decay
        )
        te.FineTuning(batches, epochs=self.epochs, optimizer=optimizer)(model)


def right(model: keras.Model, split: Split) -> np.ndarray:
    """Return for each example whether the model is right."""
    outputs = model.predict(split.inputs.astype(np.float32), batch_size=500, verbose=0)
    return np.equal(np.argmax(outputs, axis=-1), split.targets)


def ours(model: keras.Model, dataset: Dataset, speed_up: float, tuning: Tuning) -> dict[str, Any]:
    """Prune the model to `1 / speed_up` of its multiply-adds and fine-tune it; return what it reaches."""
    keras.utils.set_random_seed(tuning.seed)
    before = te.cost(model)
    plan = te.plan(model, budget=te.Budget(macs=1 / speed_up), round_to=1)
    pruned = te.prune(model, plan)
    after = te.cost(pruned)
    untuned = float(np.mean(right(pruned, dataset.test)))
    tuning(pruned, dataset.train)
    answers = right(pruned, dataset.test)
    return {
        "baseline": float(np.mean(right(model, dataset.test))),
        "speed_up": before.macs / after.macs,
        "params": after.params,
        "pruned": untuned,
        "tuned": float(np.mean(answers)),
        "right": answers.astype(int).tolist(),
    }


def theirs(
    python: str, model: keras.Model, dataset: Dataset, speed_up: float, tuning: Tuning
) -> dict[str, Any] | None:
    """Let Torch-Pruning do the same; `None` where it is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder, "arrays.npz")
        splits = {"train": dataset.train, "test": dataset.test}
        np.savez(
            arrays,
            **{f"weights/{name}": value for name, value in pytorch_state(model).items()},
            **{f"{name}/images": split.inputs for name, split in splits.items()},
            **{f"{name}/labels": split.targets for name, split in splits.items()},
        )
        asked = json.dumps(asdict(tuning) | {"speed_up": speed_up})
        found: dict[str, Any] | None = answer_of_torch(
            [python, str(OTHER_SIDE), str(arrays), asked]
        )
    return found


def kept(path: Path, compute: Callable[[], Any]) -> Any:
    """Return what the file keeps, or compute it and keep it there, unless it is nothing."""
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    found = compute()
    if found is not None:
        write_atomically(path, json.dumps(found).encode())
    return found


def row(
    model: keras.Model, speed_up: float, our: Mapping[str, Any], their: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return one line of the result: both sides' figures and the paired difference of their accuracies.

    Raises:
        RuntimeError: The net did not arrive in PyTorch as it is here.
    """
    shown = {
        side: found and {key: value for key, value in found.items() if key != "right"}
        for side, found in (("ours", our), ("torch_pruning", their))
    }
    result = {"net": model.name, "asked": speed_up, **shown, "difference": None}
    if their is not None:
        if abs(our["baseline"] - their["baseline"]) > 0.002:
            raise RuntimeError(
                f"the baseline is {our['baseline']:.2%} right here and {their['baseline']:.2%} in PyTorch: its "
                "weights were not carried over right"
            )
        answers = (
            Answers(te.metrics.ClassAccuracy(), {RIGHT: np.asarray(found["right"], dtype=bool)})
            for found in (our, their)
        )
        result["difference"] = PairedDifference.of(*answers).to_json()
    return result


def digits() -> Dataset:
    """Return scikit-learn's digits as images of the CIFAR's shape."""
    dataset = te.data.load("digits")
    splits = (
        Split(np.repeat(each.inputs, 3, axis=3), each.targets)
        for each in (dataset.train, dataset.test)
    )
    return Dataset(dataset.name, dataset.classes, *splits)


def small_baseline(dataset: Dataset) -> keras.Model:
    """Return ResNet-8, trained on the digits for three epochs."""
    model = te.zoo.build("resnet8", input_shape=(32, 32, 3), classes=10)
    Tuning(epochs=3, learning_rate=0.1)(model, dataset.train)
    return model


@click.command()
@click.argument("baseline", required=False, type=click.Path(exists=True))
@click.option("--data", "source", help="What data.source of a recipe takes.")
@click.option(
    "--speed-up", "speed_ups", multiple=True, type=float, default=(2.1, 2.57), show_default=True
)
@click.option("--epochs", default=20, show_default=True, help="Of fine-tuning.")
@click.option("--learning-rate", default=0.02, show_default=True, help="The first.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where results are kept.")
@click.option("--torch-python", default=sys.executable, help="An interpreter with torch.")
@click.option("--quick", is_flag=True, help="ResNet-8 on the digits, 2.1x, two epochs.")
def main(
    baseline: str | None,
    source: str | None,
    *,
    speed_ups: tuple[float, ...],
    folder: Path | None,
    torch_python: str,
    quick: bool,
    **training: Any,
) -> None:
    """Prune and fine-tune by both, and print a line of JSON for each factor."""
    if quick:
        speed_ups, training["epochs"] = speed_ups[:1], 2
        dataset = digits()
        model = small_baseline(dataset)
    elif baseline is None or source is None:
        raise click.UsageError("name a baseline's file and --data, or give --quick")
    else:
        dataset, model = te.data.load(source), keras.saving.load_model(baseline, compile=False)
    tuning = Tuning(**training)
    with nullcontext(folder) if folder else tempfile.TemporaryDirectory() as place:
        Path(place).mkdir(parents=True, exist_ok=True)
        for factor in speed_ups:
            asked = (model, dataset, factor, tuning)
            our = kept(Path(place, f"ours-{factor:g}.json"), partial(ours, *asked))
            their = kept(
                Path(place, f"torch_pruning-{factor:g}.json"), partial(theirs, torch_python, *asked)
            )
            click.echo(json.dumps(row(model, factor, our, their)))


if __name__ == "__main__":
    main()
