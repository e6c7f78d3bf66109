"""Trainings that a kill cannot spoil: after every epoch, all that the next one needs is put aside.

Keras' `BackupAndRestore` does not serve here: it writes the weights over the old ones and then the
epoch's number into a second file, so a kill in between leaves newer weights counted as older, or
half a file; and it does not keep the history. `TrainingCheckpoint` writes one file and renames it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

import tfelastic as te
from pipelines.backend import Cluster
from pipelines.progress import Advance
from pipelines.recipe import Augmentation, Distribution, Training
from pipelines.stages.announcing import announce, naming_lost_process
from pipelines.stages.devices import device_count, on_devices, own_variables
from pipelines.stages.history import (
    Epoch,
    History,
    best_epoch,
    has_stopped,
    training_seconds,
    watched,
)
from pipelines.stages.precision import computing_in
from pipelines.stages.run import Run
from pipelines.stages.task import Task
from tfelastic.checkpoint import Checkpoint
from tfelastic.data import Arrays, Batches, Split

#: BatchNorm statistics settle on a few batches; more examples would not move them.
_CALIBRATION_EXAMPLES = 2048


class TrainingBatches(Protocol):
    """What a recipe's section says of the batches that a training takes."""

    @property
    def batch_size(self) -> int:
        """Examples of a batch."""

    @property
    def augment(self) -> Augmentation:
        """How they are varied."""


class TrainingCheckpoint:
    """A training's state in one file: weights, optimizer, random seeds and the epochs so far."""

    def __init__(self, run: Run[Any], name: str = "checkpoint") -> None:
        self._file = Checkpoint(run.scratch_path(f"{name}.npz"))

    @property
    def path(self) -> Path:
        """The file, which may not be there yet."""
        return self._file.path

    def save(self, model: keras.Model, history: list[Epoch]) -> None:
        """Put the state aside in one step."""
        self._file.save({"history": history}, state_of(model))

    def restore(self, model: keras.Model) -> list[Epoch]:
        """Carry the state over into a compiled model; return the epochs so far, none at first."""
        record = self._file.restore(state_of(model))
        history: list[Epoch] = [] if record is None else record["history"]
        return history


def state_of(model: keras.Model) -> list[Any]:
    """Return all that changes in training; metrics start anew with each epoch and are left out."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


class MovesBar(keras.callbacks.Callback):
    """Moves a bar that counts epochs with every batch."""

    def __init__(self, advance: Advance) -> None:
        super().__init__()
        self._advance, self._epoch = advance, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note which epoch it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the bar by a batch."""
        share = (batch + 1) / self.params["steps"]
        self._advance(self._epoch + share, _note(logs or {}))


class _StartsEpoch(keras.callbacks.Callback):
    """Starts the batches at every epoch's number.

    Several devices take batches ahead, so that the batches cannot count epochs by what was taken.
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._batches.start_at(epoch)


class AfterEachEpoch(keras.callbacks.Callback):
    """Keeps the history and, where there is a checkpoint, puts it aside."""

    def __init__(self, checkpoint: TrainingCheckpoint | None, history: list[Epoch]) -> None:
        super().__init__()
        self._checkpoint, self._history = checkpoint, history

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note when it begins."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the epoch's figures, then put the state aside."""
        figures = {key: float(value) for key, value in (logs or {}).items()}
        seconds = round(time.perf_counter() - self._start, 3)
        self._history.append({"epoch": epoch + 1, "seconds": seconds, **figures})
        if self._checkpoint is not None:
            self._checkpoint.save(self.model, self._history)


class _EarlyStopping(keras.callbacks.Callback):
    """Stops a training that no longer gets better on held-out examples; puts the weights of its best epoch aside.

    Keras' `EarlyStopping` counts in memory, which a kill empties. Here all follows from the history. It comes after
    `AfterEachEpoch`: a kill between the two leaves the training's checkpoint with the best epoch's weights, from
    which `on_train_begin` puts them aside.
    """

    def __init__(self, patience: int, history: list[Epoch], best: Checkpoint | None) -> None:
        super().__init__()
        self._patience, self._history, self._best = patience, history, best

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._keep_the_best()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._keep_the_best()
        self.model.stop_training = has_stopped(tuple(self._history), self._patience)

    def _keep_the_best(self) -> None:
        if self._best is None:  # Another process keeps it.
            return
        if self._history and best_epoch(tuple(self._history)) == len(self._history):
            self._best.save({"epoch": len(self._history)}, own_variables(self.model))


def _note(logs: dict[str, Any]) -> str:
    parts = [f"loss {float(logs['loss']):.3f}"] if "loss" in logs else []
    for name in watched(logs):
        value, title = float(logs[name]), name.replace("_", " ")
        share = name.endswith("accuracy")
        parts.append(f"{title} {100 * value:.1f} %" if share else f"{title} {value:.3g}")
    return "  ".join(parts)


@dataclass(frozen=True)
class Trained:
    """What a training left: its epochs, and the seconds of those that an earlier try had ended."""

    history: History
    earlier_seconds: float


def train(
    run: Run[Any],
    model: keras.Model,
    split: Split,
    *,
    training: Training,
    task: Task,
    name: str = "checkpoint",
) -> Trained:
    """Compile and train a model, going on after the last epoch that the checkpoint `name` holds.

    The order and the augmentation of an epoch's examples follow from the seed and the epoch's number,
    so an interrupted training sees what an uninterrupted one sees. With `patience` the model ends with the weights of
    the epoch that was best on the run's held-out examples.
    """
    checkpoint = TrainingCheckpoint(run, name)
    best = Checkpoint(run.scratch_path(f"{name}-best.npz"))
    announce(run, model, training, checkpoint.path)
    keras.utils.set_random_seed(run.recipe.seed)
    with on_devices(run.recipe.distribution, model) as net:
        batches = compile_for_batches(run, net, split, training=training, task=task)
        history = checkpoint.restore(net)
        earlier_seconds = training_seconds(history)
        ended = len(history) >= training.epochs or has_stopped(tuple(history), training.patience)
        if not ended:
            run.on_training(name)
        fit(
            run,
            net,
            batches,
            training=training,
            history=history,
            keep=[AfterEachEpoch(checkpoint, history)],
            best=best,
        )
    if training.patience is not None:
        best.restore(own_variables(model))
    return Trained(tuple(history), earlier_seconds)


def compile_for_batches(
    run: Run[Any], net: keras.Model, split: Split, *, training: Training, task: Task
) -> Batches:
    """Compile a net as the recipe says, and return its batches: those of this process, of several that train it."""
    keras.utils.set_random_seed(run.recipe.seed)
    batches = batches_for(
        training, split, seed=run.recipe.seed, distribution=run.recipe.distribution
    )
    compile_for(net, training, task=task, steps_per_epoch=len(batches))
    return batches


def fit(
    run: Run[Any],
    net: keras.Model,
    batches: Batches,
    *,
    training: Training,
    history: list[Epoch],
    keep: list[keras.callbacks.Callback],
    best: Checkpoint | None,
) -> None:
    """Train a compiled net for the epochs that its history lacks.

    Args:
        run: The run.
        net: The net, on all devices.
        batches: What it learns from.
        training: How to train it.
        history: The epochs so far; a callback of `keep` adds to it.
        keep: Callbacks that keep what an epoch leaves.
        best: Where the weights of the best epoch are put aside; `None` where another process does it.
    """
    callbacks, validation = [_StartsEpoch(batches), *keep], None
    if training.patience is not None:
        validation = batches_for(
            training, run.validation_split, distribution=run.recipe.distribution, shuffle=False
        )
        callbacks.append(_EarlyStopping(training.patience, history, best))
    ended = has_stopped(tuple(history), training.patience)
    batches.start_at(len(history))
    with (
        run.reporter.bar(training.epochs, "epochs") as advance,
        computing_in(run.recipe.precision, net),
        te.avoid_onednn_crash(net),
        naming_lost_process(),
    ):
        net.fit(
            batches,
            epochs=len(history) if ended else training.epochs,
            initial_epoch=len(history),
            validation_data=validation,
            shuffle=False,
            verbose=0,
            callbacks=[te.StopAtNaN(), MovesBar(advance), *callbacks],
        )


def train_each(
    run: Run[Any],
    nets: Mapping[str, Callable[[], keras.Model]],
    *,
    training: Training,
    task: Task,
    split: Split,
    keras_file: Callable[[str], str],
) -> tuple[dict[str, History], float]:
    """Train nets one after the other, each from where an earlier try left it, and save each.

    Args:
        run: The run, within the stage that trains.
        nets: What builds each net, by the net's name; called when its turn comes.
        training: How to train each.
        task: What to train each on.
        split: The examples to learn from.
        keras_file: Gives a net's file by the net's name.

    Returns:
        Each net's epochs, and the seconds that an earlier try had spent on them.
    """
    histories: dict[str, History] = {}
    earlier_seconds = 0.0
    for name, build in nets.items():
        ended = Checkpoint(run.scratch_path(f"{name}.ended.npz"))
        record = ended.restore([]) if run.path(keras_file(name)).exists() else None
        if record is not None:
            histories[name] = tuple(record["history"])
            earlier_seconds += training_seconds(histories[name])
            continue
        net = build()
        trained = train(run, net, split, training=training, task=task, name=name)
        recalibrate(net, training, split, seed=run.recipe.seed)
        run.workspace.save(keras_file(name), net.save)
        ended.save({"history": trained.history}, [])
        histories[name] = trained.history
        earlier_seconds += trained.earlier_seconds
    return histories, earlier_seconds


def batches_for(
    training: TrainingBatches,
    split: Split,
    *,
    seed: int = 0,
    distribution: Distribution | None = None,
    shuffle: bool = True,
) -> Batches:
    """Return a split's examples as a training takes them, or unvaried and in order; a part for each process."""
    cluster = Cluster.of_environment() if distribution else Cluster()
    return Batches(
        split,
        batch_size=training.batch_size,
        augment=training.augment if shuffle else None,
        shuffle=shuffle,
        seed=seed,
        multiple_of=device_count(distribution),
        part=(cluster.process, cluster.processes),
    )


def calibration_inputs(training: TrainingBatches, split: Split, *, seed: int) -> Arrays:
    """Return inputs to measure BatchNorm statistics on, `[examples, ...]`, pixels as float32.

    They are augmented as in training: what a net learned to read are the statistics of such examples
    (`benchmarks/recalibration.py` measures what others cost).
    """
    batches = batches_for(training, split, seed=seed)
    count = min(len(batches), -(-_CALIBRATION_EXAMPLES // training.batch_size))
    found = [batches[index][0] for index in range(count)]
    joined: Arrays = keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *found)
    return joined


def recalibrate(model: keras.Model, training: TrainingBatches, split: Split, *, seed: int) -> None:
    """Measure a trained net's BatchNorm statistics anew, as is done with every net that others are compared with.

    Running averages lag behind the weights: at Keras' momentum of 0.99 a net of a short training was seen to reach
    35 % with them and 51 % with measured ones.
    """
    te.recalibrate(model, calibration_inputs(training, split, seed=seed))


def compile_for(
    model: keras.Model, training: Training, *, task: Task, steps_per_epoch: int
) -> None:
    """Compile a model for a task, with the recipe's optimizer and schedule.

    XLA serves JAX alone: on a CPU TensorFlow's own kernels train faster, from 1.5 times for ResNet-20
    to 6 times for VGG-16 (`benchmarks/epoch_cost.py` with and without `--xla`). Weight decay spares
    biases and BatchNorm, which it would only pull off balance.
    """
    steps = training.epochs * steps_per_epoch
    warmup_steps = round(training.warmup * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else training.learning_rate,
        decay_steps=max(1, steps - warmup_steps),
        warmup_target=training.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
    optimizer: keras.optimizers.Optimizer
    if training.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=training.weight_decay)
    else:
        optimizer = keras.optimizers.SGD(
            rate, momentum=0.9, nesterov=True, weight_decay=training.weight_decay
        )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer=optimizer,
        loss=task.loss,
        metrics=task.watched,
        jit_compile=keras.backend.backend() == "jax",
    )
