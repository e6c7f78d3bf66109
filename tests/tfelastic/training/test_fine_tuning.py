"""Fine-tuning trains the net it is given, and nothing else."""

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te


def net(*, softmax: bool = False, seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.Dense(2, activation="softmax" if softmax else None),
        ]
    )


def data(seed: int = 0) -> te.data.Batches:
    """Return images of two classes, dark and bright."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, 64)
    images = random.integers(0, 128, (64, 4, 4, 1)) + 127 * labels[:, None, None, None]
    split = te.data.Split(images.astype("uint8"), labels)
    return te.data.Batches(split, batch_size=16)


def accuracy(model: keras.Model) -> float:
    split = data(1)._split
    return te.Accuracy(split.images, split.labels)(model)


@pytest.mark.parametrize("softmax", [False, True])
def test_it_learns_from_labels(softmax: bool) -> None:
    model = net(softmax=softmax)
    tune = te.FineTuning(data(), epochs=5, optimizer=keras.optimizers.Adam(0.03))
    history = tune(model)
    assert len(history.history["loss"]) == 5
    assert accuracy(model) > 0.9


def test_it_learns_from_the_teacher_alone_and_leaves_it_as_it_is() -> None:
    teacher, student = net(), net(seed=1)
    optimizer = keras.optimizers.Adam(0.03)
    te.FineTuning(data(), epochs=5, optimizer=optimizer)(teacher)
    before = teacher.get_weights()
    flipped = data()
    flipped._split.labels[:] = 1 - flipped._split.labels
    te.FineTuning(
        flipped,
        epochs=5,
        optimizer=optimizer,
        teacher=teacher,
        distillation=te.Distillation(weight=1.0),
    )(student)
    assert accuracy(student) > 0.9
    assert all(map(np.array_equal, before, teacher.get_weights()))
    assert teacher.trainable_variables
    assert not optimizer.built, "every net gets an optimizer of its own"


def test_every_net_sees_the_same_batches_so_a_search_can_go_on() -> None:
    tune = te.FineTuning(data(), epochs=2)
    nets = [net(), net()]
    for each in nets:
        tune(each)
    first, second = (each.get_weights() for each in nets)
    assert all(map(np.array_equal, first, second))


def test_what_it_cannot_train_is_refused() -> None:
    with pytest.raises(te.errors.TrainingError, match="at least one epoch"):
        te.FineTuning(data(), epochs=0)
    inputs = keras.Input((4, 4, 1))
    with pytest.raises(te.errors.TrainingError, match="class scores"):
        te.FineTuning(data())(keras.Model(inputs, layers.ReLU()(inputs)))
