from functools import partial

import keras
import numpy as np
import pytest

import tfelastic as te
from pipelines.progress import Reporter
from pipelines.recipe import Recipe, Training
from pipelines.stages import Nothing, Outcome, Run, Stage
from pipelines.stages.answers import RIGHT, answers_of
from pipelines.stages.task import Task
from pipelines.stages.training import (
    TrainingCheckpoint,
    batches_for,
    calibration_inputs,
    compile_for,
    recalibrate,
    train,
    train_each,
)
from pipelines.workspace import Workspace
from tfelastic.data import Dataset, Split

RECIPE = Recipe(name="tiny", seed=3)


def at_work(workspace: Workspace) -> Run:
    """Return a run within a stage that may train."""
    stage = Stage(
        "baseline",
        lambda run: Outcome("", Nothing()),
        Nothing,
        keys=("seed", "precision", "distribution"),
    )
    return Run(RECIPE, workspace, Reporter(quiet=True), command="again").within(stage)


def split(count: int = 40) -> Split:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, count)
    images = random.integers(0, 120, (count, 8, 8, 1), dtype=np.uint8)
    images[..., 0] += (labels * 60).astype(np.uint8)[:, None, None]
    return Split(images, labels)


def task_for(model: keras.Model) -> Task:
    return Task.of(model, Dataset("tiny", ("a", "b", "c"), split(), split()))


def net() -> keras.Model:
    """A net with everything that an epoch changes: weights, statistics, dropout's seed."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Dropout(0.3, seed=2),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3),
        ]
    )


def trained(path, training: Training, *, stop_after: int | None, monkeypatch) -> keras.Model:
    """Train in the workspace at `path`; with `stop_after`, die in the epoch after so many."""
    model = net()
    if stop_after is not None:
        save = TrainingCheckpoint.save

        def save_then_die(checkpoint, model, history):
            if len(history) > stop_after:
                raise KeyboardInterrupt
            save(checkpoint, model, history)

        monkeypatch.setattr(TrainingCheckpoint, "save", save_then_die)
    with Workspace.open(path, RECIPE.name) as workspace:
        try:
            result = train(
                at_work(workspace), model, split(), training=training, task=task_for(model)
            )
        finally:
            monkeypatch.undo()
    assert [epoch["epoch"] for epoch in result.history] == list(range(1, training.epochs + 1))
    return model


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_training_that_died_and_went_on_ends_in_the_same_bits(tmp_path, monkeypatch, optimizer):
    training = Training(
        epochs=4, batch_size=16, optimizer=optimizer, learning_rate=0.01, augment="shift"
    )
    whole = trained(tmp_path / "whole", training, stop_after=None, monkeypatch=monkeypatch)
    for epochs in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "parts", training, stop_after=epochs, monkeypatch=monkeypatch)
    resumed = trained(tmp_path / "parts", training, stop_after=None, monkeypatch=monkeypatch)
    for expected, received in zip(whole.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(expected), keras.ops.convert_to_numpy(received)
        )


def test_a_checkpoint_that_stops_in_the_middle_of_a_write_leaves_the_one_before(
    tmp_path, monkeypatch
):
    model = net()
    model.compile("sgd", "sparse_categorical_crossentropy")
    with Workspace.open(tmp_path, RECIPE.name) as workspace:
        checkpoint = TrainingCheckpoint(at_work(workspace))
        checkpoint.save(model, [{"epoch": 1}])
        before = [keras.ops.convert_to_numpy(v).copy() for v in model.variables]
        for variable in model.trainable_variables:
            variable.assign(variable + 1.0)
        monkeypatch.setattr(np, "savez", _half_written)
        with pytest.raises(KeyboardInterrupt):
            checkpoint.save(model, [{"epoch": 1}, {"epoch": 2}])
        assert checkpoint.restore(model) == [{"epoch": 1}]
    for expected, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(expected, keras.ops.convert_to_numpy(variable))


def _half_written(file, **arrays) -> None:
    file.write(b"PK half of a file")
    raise KeyboardInterrupt


def test_weight_decay_spares_biases_and_batch_norm():
    """With no gradient to follow, only what decays can shrink."""
    training = Training(
        epochs=1, batch_size=40, optimizer="sgd", learning_rate=0.1, warmup=0.0, weight_decay=0.5
    )
    model = net()
    compile_for(model, training, task=task_for(model), steps_per_epoch=1)
    model.optimizer.build(model.trainable_variables)
    before = {v.path: keras.ops.convert_to_numpy(v).copy() for v in model.trainable_variables}
    model.optimizer.apply([keras.ops.zeros_like(v) for v in model.trainable_variables])
    for variable in model.trainable_variables:
        after = keras.ops.convert_to_numpy(variable)
        factor = 0.95 if variable.path.endswith("kernel") else 1.0
        np.testing.assert_allclose(after, factor * before[variable.path], rtol=1e-6)


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing():
    model = net()
    training = Training(epochs=10, learning_rate=0.2, warmup=0.2)
    compile_for(model, training, task=task_for(model), steps_per_epoch=10)
    rate = model.optimizer._learning_rate
    rates = np.array([float(rate(step)) for step in range(101)])
    assert rates[0] == 0
    assert rates[20] == pytest.approx(0.2)
    assert rates[100] == pytest.approx(0, abs=1e-8)
    assert (np.diff(rates[:21]) > 0).all()
    assert (np.diff(rates[20:]) < 0).all()


def test_every_image_is_judged_the_last_ones_too():
    data = split(7)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    expected = (model(data.images.astype("float32")).numpy().argmax(-1) == data.labels).mean()
    answers = answers_of(model, data, te.metrics.ClassAccuracy(), batch_size=3)
    assert answers.score == pytest.approx(expected)
    assert answers.arrays[RIGHT].shape == (7,)


def test_statistics_are_measured_on_images_augmented_as_in_training():
    images = split(40)
    training = Training(batch_size=16, augment="shift")
    found = calibration_inputs(training, images, seed=3)
    first = batches_for(training, images, seed=3)
    assert np.array_equal(found, np.concatenate([first[i][0] for i in range(3)]))
    plain = calibration_inputs(Training(batch_size=16, augment=None), images, seed=3)
    assert sorted(map(bytes, plain.astype("uint8"))) == sorted(map(bytes, images.images))
    assert not np.array_equal(found, plain)


def test_a_training_that_diverges_stops_in_that_epoch_and_says_what_to_try(tmp_path):
    training = Training(epochs=5, batch_size=16, learning_rate=1e30, warmup=0.0, augment=None)
    with Workspace.open(tmp_path, RECIPE.name) as workspace:
        run = at_work(workspace)
        with pytest.raises(
            te.errors.TrainingError, match=r"diverged.*epoch 1 .*learning rate of .*a tenth"
        ):
            train(run, net(), split(), training=training, task=task_for(net()))
        assert not run.scratch_path("checkpoint.npz").exists()


def test_statistics_are_measured_and_not_averages_that_lag_behind():
    model, images = net(), split()
    training = Training(batch_size=20, augment=None)
    recalibrate(model, training, images, seed=3)
    norm = next(each for each in model.layers if "batch" in each.name)
    before = keras.Model(model.inputs[0], norm.input)
    values = keras.ops.convert_to_numpy(before(images.images.astype("float32")))
    np.testing.assert_allclose(norm.moving_mean, values.mean(axis=(0, 1, 2)), rtol=1e-4, atol=1e-5)
    reached = model.get_weights()
    te.recalibrate(model, calibration_inputs(training, images, seed=3))
    for one, two in zip(reached, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_net_whose_training_has_ended_is_neither_built_nor_trained_again(tmp_path):
    built = []

    def build(name: str) -> keras.Model:
        built.append(name)
        return net()

    with Workspace.open(tmp_path / "w", "tiny") as workspace:
        run, examples = at_work(workspace), split()
        options = {
            "training": Training(epochs=1, batch_size=20, warmup=0.0),
            "task": task_for(net()),
            "split": examples,
            "keras_file": "{}.keras".format,
        }
        nets = {name: partial(build, name) for name in ("a", "b")}
        histories, _ = train_each(run, {"a": nets["a"]}, **options)
        again, earlier_seconds = train_each(run, nets, **options)
    assert built == ["a", "b"]
    assert again["a"] == tuple(histories["a"])
    assert earlier_seconds == histories["a"][0]["seconds"]


@pytest.mark.parametrize("stopped", [False, True])
def test_only_a_training_with_epochs_ahead_begins(tmp_path, monkeypatch, stopped):
    begun: list[str] = []
    with Workspace.open(tmp_path / "w", "tiny") as workspace:
        run, examples = at_work(workspace), split()
        run.on_training = begun.append
        for epochs in (1, 2 if stopped else 1):
            training = Training(epochs=epochs, batch_size=20, warmup=0.0)
            task = task_for(net())
            found = train(run, net(), examples, training=training, task=task, name="a")
            monkeypatch.setattr("pipelines.stages.training.has_stopped", lambda *_: stopped)
    assert begun == ["a"]
    assert len(found.history) == 1
