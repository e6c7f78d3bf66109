"""A training that stops early ends with the weights of its best epoch, in one go or after a kill."""

import math
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from pipelines.progress import Reporter
from pipelines.recipe import Data, Recipe, Training
from pipelines.stages import Nothing, Outcome, Run, Stage, data, run_stages
from pipelines.stages.history import best_epoch, early_stop, has_stopped
from pipelines.stages.task import Task
from pipelines.stages.training import Trained, TrainingCheckpoint, train
from pipelines.workspace import Workspace

#: Few examples and a high rate, so that the loss of the held-out ones soon rises.
TRAINING = Training(
    epochs=30, batch_size=16, learning_rate=0.1, warmup=0.0, augment=None, patience=3
)
RECIPE = Recipe(
    name="tiny",
    seed=3,
    data=Data(source="digits", image_size=8, limit=120, validation_images=40),
    baseline=TRAINING,
)
STAGE = Stage(
    "baseline",
    lambda run: Outcome("", Nothing()),
    Nothing,
    keys=("seed", "precision", "distribution", "validation_images"),
    stages=(data.STAGE,),
)


def net() -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, use_bias=False),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.3, seed=2),
            keras.layers.Dense(10),
        ]
    )


def trained(folder: Path, training: Training = TRAINING) -> tuple[Trained, keras.Model, float]:
    """Return a training, its model, and the loss of its model on the held-out examples."""
    model = net()
    with Workspace.open(folder, RECIPE.name) as workspace:
        run = Run(RECIPE, workspace, Reporter(quiet=True), command="again")
        run_stages(run, (data.STAGE,))
        seen = run.within(STAGE)
        task = Task.of(model, seen.dataset)
        found = train(seen, model, seen.training_split, training=training, task=task)
        held_out = seen.validation_split
        assert len(seen.training_split) + len(held_out) == len(seen.dataset.train)
    scores = model.predict(held_out.images.astype("float32"), verbose=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(held_out.labels, scores)
    return found, model, float(loss)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def stopped(folder: Path) -> tuple[Trained, keras.Model, float]:
    return trained(folder)


def held_out_losses(training: Trained) -> list[float]:
    return [epoch["val_loss"] for epoch in training.history]


def assert_equal_weights(one: keras.Model, other: keras.Model) -> None:
    for first, second in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_it_stops_as_soon_as_the_held_out_loss_has_not_fallen_for_as_long_as_patience(stopped):
    losses = held_out_losses(stopped[0])
    assert len(losses) < TRAINING.epochs
    since_best = [end - 1 - int(np.argmin(losses[:end])) for end in range(1, len(losses) + 1)]
    assert since_best[-1] == TRAINING.patience
    assert max(since_best[:-1]) < TRAINING.patience


def test_it_ends_with_the_weights_of_its_best_epoch(stopped):
    losses = held_out_losses(stopped[0])
    assert stopped[2] == pytest.approx(min(losses), rel=1e-5)
    assert losses[-1] > 1.01 * min(losses)


def test_the_best_epoch_is_kept_where_the_training_runs_to_its_end_too(tmp_path):
    found, _, evaluated = trained(tmp_path, replace(TRAINING, epochs=5, patience=5))
    losses = held_out_losses(found)
    assert len(losses) == 5
    assert losses[-1] > 1.01 * min(losses)
    assert evaluated == pytest.approx(min(losses), rel=1e-5)


def test_the_training_is_the_same_as_without_until_it_stops(tmp_path, monkeypatch, stopped):
    # The schedule of the learning rate goes by all epochs, so only a kill leaves the first ones alone.
    kept: list[list[float]] = []

    def note_then_die(checkpoint, model, history):
        assert "val_loss" not in history[-1]
        kept.append([epoch["loss"] for epoch in history])
        if len(history) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingCheckpoint, "save", note_then_die)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, replace(TRAINING, patience=None))
    assert kept[-1] == [epoch["loss"] for epoch in stopped[0].history[:2]]


@pytest.mark.parametrize("moment", ["best epoch lacks its own file", "after the last epoch"])
def test_after_a_kill_it_ends_with_the_same_bits(tmp_path, monkeypatch, stopped, moment):
    whole, model, _ = stopped
    best = int(np.argmin(held_out_losses(whole))) + 1
    dies_after = best if moment == "best epoch lacks its own file" else len(whole.history)
    save = TrainingCheckpoint.save

    def save_then_die(checkpoint, model, history):
        save(checkpoint, model, history)
        if len(history) == dies_after:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingCheckpoint, "save", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path)
    monkeypatch.undo()
    resumed, again, _ = trained(tmp_path)
    one, two = ([{**e, "seconds": 0} for e in each.history] for each in (whole, resumed))
    assert one == two
    assert resumed.earlier_seconds > 0
    assert_equal_weights(model, again)


def test_a_training_that_had_stopped_does_not_go_on(folder, stopped):
    again, model, _ = trained(folder)
    assert again.history == stopped[0].history
    assert_equal_weights(model, stopped[1])


def test_a_held_out_loss_that_is_not_a_number_is_never_the_best():
    history = tuple({"val_loss": loss} for loss in (math.nan, 2.0, math.nan))
    assert best_epoch(history) == 2
    assert not has_stopped(history, 2)
    assert has_stopped(history, 1)


@pytest.mark.parametrize(
    ("losses", "epochs", "said"),
    [
        ([3, 1, 2, 2], 9, "stopped after epoch 4 of 9, kept the best one, epoch 2"),
        ([3, 2, 1], 3, "ended after epoch 3 of 3, kept the best one, epoch 3"),
    ],
)
def test_it_says_where_it_ended_and_which_epoch_it_kept(losses, epochs, said):
    history = tuple({"epoch": n, "val_loss": loss} for n, loss in enumerate(losses, start=1))
    assert early_stop(history, Training(epochs=epochs, patience=2)) == said
    assert early_stop(history, Training(epochs=epochs)) == ""
