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


def test_a_tail_that_computes_nothing_changes_nothing() -> None:
    plain = net()
    tail = layers.Activation("linear", dtype="float32")(plain.outputs[0])
    tailed = keras.Model(plain.inputs, tail)
    tailed = te.prune(tailed, te.KeepPlan(te.trace(tailed).fingerprint))
    for each in (plain, tailed):
        te.FineTuning(data(), epochs=2)(each)
    for one, other in zip(plain.get_weights(), tailed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_one_sigmoid_unit_learns_from_labels_and_from_a_teacher() -> None:
    def gate(seed: int) -> keras.Model:
        keras.utils.set_random_seed(seed)
        body = net(seed=seed)
        return keras.Model(
            body.inputs, layers.Dense(1, activation="sigmoid")(body.layers[-2].output)
        )

    teacher, student = gate(0), gate(1)
    optimizer = keras.optimizers.Adam(0.03)
    te.FineTuning(data(), epochs=20, optimizer=optimizer)(teacher)
    flipped = data()
    flipped._split.labels[:] = 1 - flipped._split.labels
    te.FineTuning(
        flipped,
        epochs=20,
        optimizer=optimizer,
        teacher=teacher,
        distillation=te.Distillation(weight=1.0),
    )(student)
    split = data(1)._split
    for model in (teacher, student):
        answers = model.predict(split.images, verbose=0)[:, 0] > 0.5
        assert (answers == split.labels).mean() > 0.9


@keras.saving.register_keras_serializable("tests")
class Halves(keras.Model):
    """A teacher that cannot be traced."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.dense = layers.Dense(2)

    def call(self, inputs: object) -> object:
        return self.dense(keras.ops.reshape(inputs, (-1, 16)) / 255)


@pytest.mark.parametrize("kind", ["lambda", "subclass"])
def test_any_net_can_teach(kind: str) -> None:
    if kind == "lambda":
        body = net()
        scaled = layers.Lambda(lambda x: x / 255.0, output_shape=(4, 4, 1))
        inputs = keras.Input((4, 4, 1))
        x = layers.Dense(8, activation="relu")(layers.Flatten()(scaled(inputs)))
        teacher = keras.Model(inputs, layers.Dense(2)(x))
        assert teacher.count_params() == body.count_params()
    else:
        teacher = Halves()
        teacher(np.zeros((1, 4, 4, 1)))
    teacher.compile("sgd", loss=lambda y, scores: keras.ops.mean(scores))
    student = net(seed=1)
    images, before = data(1)._split.images[:8].astype("float32"), teacher.get_weights()
    learner = te.Student(student, teacher, distillation=te.Distillation(weight=1.0))
    np.testing.assert_allclose(learner.teacher(images), teacher(images), atol=1e-5)
    learner.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    learner.fit(data(), verbose=0)
    assert all(map(np.array_equal, before, teacher.get_weights()))
    assert all(map(np.array_equal, before, learner.teacher.get_weights()))


@pytest.mark.parametrize("taught", [True, False])
def test_a_student_is_made_again_from_its_config(taught: bool) -> None:
    distillation = te.Distillation(weight=0.3, temperature=2.0)
    student = te.Student(net(seed=1), net() if taught else None, distillation=distillation)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(student))
    assert again.get_config() == student.get_config()
    again.set_weights(student.get_weights())
    images = data(1)._split.images[:4].astype("float32")
    np.testing.assert_array_equal(again(images), student(images))


def test_a_teacher_that_cannot_be_copied_is_named() -> None:
    class Bare(keras.Model):
        def __init__(self, width: int) -> None:
            super().__init__(name="bare")
            self.dense = layers.Dense(width)

        def call(self, inputs: object) -> object:
            return self.dense(inputs)

    with pytest.raises(te.errors.TrainingError, match="the teacher 'bare' cannot be copied"):
        te.Student(net(), Bare(2))


def test_what_it_cannot_train_is_refused() -> None:
    with pytest.raises(te.errors.TrainingError, match="at least one epoch"):
        te.FineTuning(data(), epochs=0)
    inputs = keras.Input((4, 4, 1))
    with pytest.raises(te.errors.TrainingError, match="class scores"):
        te.FineTuning(data())(keras.Model(inputs, layers.ReLU()(inputs)))
