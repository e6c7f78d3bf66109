"""Distillation against numbers worked out by hand."""

import math

import keras
import numpy as np
import pytest
from keras import ops

import tfelastic as te
from tfelastic.errors import TrainingError

# Two classes: the teacher says 3/4 and 1/4, the student 1/2 and 1/2.
TEACHER, STUDENT = np.array([[math.log(3.0), 0.0]], "float32"), np.zeros((1, 2), "float32")
DIVERGENCE = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)


def test_divergence_of_logits() -> None:
    assert float(te.Distillation().loss(TEACHER, STUDENT, ending="logits")) == pytest.approx(
        DIVERGENCE
    )


def test_divergence_of_probabilities() -> None:
    teacher, student = np.array([[0.75, 0.25]]), np.array([[0.5, 0.5]])
    found = te.Distillation().loss(teacher, student, ending="probabilities")
    assert float(found) == pytest.approx(DIVERGENCE, rel=1e-5)


def test_temperature_softens_and_keeps_gradients_comparable() -> None:
    softened = te.Distillation(temperature=2.0).loss(2 * TEACHER, STUDENT, ending="logits")
    assert float(softened) == pytest.approx(4 * DIVERGENCE)


def test_other_values_are_compared_by_their_squares() -> None:
    found = te.Distillation().loss(np.array([[1.0, 2.0]]), np.array([[3.0, 2.0]]), ending="values")
    assert float(found) == pytest.approx(2.0)


@pytest.mark.parametrize("ending", ["logits", "probabilities", "values"])
def test_no_gradient_reaches_the_teacher(ending: str) -> None:
    """Each side is a bias of its own, and only the student's moves in training."""

    class Pair(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.teacher = self.add_weight(shape=(2,), initializer="ones", name="teacher")
            self.student = self.add_weight(shape=(2,), initializer="zeros", name="student")

        def call(self, inputs: object) -> object:
            return inputs

        def compute_loss(self, *args: object, **kwargs: object) -> object:
            given = ops.softmax(self.student + np.array([0.0, 1.0], "float32"))
            wanted = ops.softmax(self.teacher * np.array([2.0, 0.0], "float32"))
            untouched = 0.0 * ops.sum(
                self.teacher
            )  # Keras warns of variables that no gradient reaches.
            return te.Distillation().loss(wanted[None], given[None], ending=ending) + untouched

    pair = Pair()
    pair.compile(keras.optimizers.SGD(1.0))
    pair.train_on_batch(np.zeros((1, 1), "float32"), np.zeros((1, 1), "float32"))
    assert np.array_equal(pair.teacher, [1.0, 1.0])
    assert not np.array_equal(pair.student, [0.0, 0.0])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"weight": 1.5}, "between 0 and 1, received 1.5"),
        ({"weight": -0.1}, "between 0 and 1"),
        ({"temperature": 0.0}, "is positive, received 0"),
    ],
)
def test_impossible_values_are_refused(options: dict[str, float], reason: str) -> None:
    with pytest.raises(TrainingError, match=reason):
        te.Distillation(**options)


def coin(teacher: float, student: float) -> float:
    return teacher * math.log(teacher / student) + (1 - teacher) * math.log(
        (1 - teacher) / (1 - student)
    )


def test_yes_or_no_questions_are_compared_one_by_one_and_averaged() -> None:
    teacher, student = np.array([[0.9, 0.5]]), np.array([[0.5, 0.2]])
    expected = (coin(0.9, 0.5) + coin(0.5, 0.2)) / 2
    found = te.Distillation().loss(teacher, student, ending="binary_probabilities")
    assert float(found) == pytest.approx(expected, rel=1e-4)
    odds = [np.log(each / (1 - each)) for each in (teacher, student)]
    found = te.Distillation().loss(*odds, ending="binary_logits")
    assert float(found) == pytest.approx(expected, rel=1e-5)
    softened = te.Distillation(temperature=3.0).loss(
        *(3 * each for each in odds), ending="binary_logits"
    )
    assert float(softened) == pytest.approx(9 * expected, rel=1e-5)


@pytest.mark.parametrize(
    "ending", ["logits", "probabilities", "binary_logits", "binary_probabilities", "values"]
)
@pytest.mark.parametrize("weights", [(4,), (4, 1), (4, 2), (4, 2, 3), (4, 2, 3, 1)])
def test_sample_weights_weigh_as_in_a_loss_of_keras(ending: str, weights: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    teacher, student = (rng.dirichlet(np.ones(5), (4, 2, 3)).astype("float32") for _ in range(2))
    weight = rng.uniform(0, 2, weights)
    taught = te.Distillation(temperature=2.0)
    each = np.array(
        [
            float(taught.loss(one[None], other[None], ending=ending))
            for one, other in zip(teacher.reshape(-1, 5), student.reshape(-1, 5), strict=True)
        ]
    ).reshape(4, 2, 3)
    spread = weight.reshape(*weights[:3], *[1] * (3 - len(weights[:3])))
    found = taught.loss(teacher, student, ending=ending, sample_weight=weight)
    assert float(found) == pytest.approx(float((each * spread).mean()), rel=1e-4)


def test_outputs_of_half_precision_are_compared_in_single() -> None:
    rng = np.random.default_rng(0)
    teacher, student = (ops.cast(rng.normal(size=(8, 5)), "bfloat16") for _ in range(2))
    exact = te.Distillation().loss(
        ops.cast(teacher, "float32"), ops.cast(student, "float32"), ending="logits"
    )
    found = te.Distillation().loss(teacher, student, ending="logits")
    assert found.dtype == "float32"
    assert float(found) == float(exact)
