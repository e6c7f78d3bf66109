"""What a task makes of a model: its loss, its metric, and what does not fit, said before any training."""

from typing import Any

import keras
import numpy as np
import pytest

import tfelastic as te
from pipelines.errors import StageError
from pipelines.recipe import WeightedMetric
from pipelines.stages.answers import Answers
from pipelines.stages.chance import chance_remark
from pipelines.stages.compatibility import require_inputs, require_output
from pipelines.stages.task import Output, Task, outputs_of, tasks_of, units_of
from tfelastic.data import Arrays, Dataset, Split

COUNT = 24
CLASSES = np.arange(COUNT) % 3
VALUES = np.linspace(-1, 1, COUNT, dtype=np.float32)[:, np.newaxis]
LABELS = (np.arange(COUNT)[:, np.newaxis] >> np.arange(2)) & 1
MASKS = np.arange(COUNT * 16).reshape(COUNT, 4, 4) % 3


def data(targets: Arrays, inputs: Arrays | None = None, classes: Any = ()) -> Dataset:
    given = np.zeros((COUNT, 4, 4, 1), np.float32) if inputs is None else inputs
    return Dataset("mine", classes, Split(given, targets), Split(given, targets))


def net(*heads: keras.Layer) -> keras.Model:
    inputs = keras.Input((4, 4, 1), name="x")
    flat = keras.layers.Flatten()(inputs)
    outputs = [head(inputs if isinstance(head, keras.layers.Conv2D) else flat) for head in heads]
    return keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0])


def dense(units: int, activation: str | None = None, name: str | None = None) -> keras.Layer:
    return keras.layers.Dense(units, activation=activation, name=name)


def pixels(units: int, activation: str | None = None) -> keras.Layer:
    return keras.layers.Conv2D(units, 1, activation=activation)


@pytest.mark.parametrize(
    ("task", "targets", "head", "loss", "metric"),
    [
        ("classification", CLASSES, dense(3), "SparseCategoricalCrossentropy", "accuracy"),
        ("classification", np.eye(3)[CLASSES], dense(3), "CategoricalCrossentropy", "accuracy"),
        ("classification", CLASSES % 2, dense(1), "BinaryCrossentropy", "accuracy"),
        ("multilabel", LABELS, dense(2), "BinaryCrossentropy", "binary_accuracy"),
        ("segmentation", MASKS, pixels(3), "SparseCategoricalCrossentropy", "mean_iou"),
        ("segmentation", MASKS % 2, pixels(1), "BinaryCrossentropy", "mean_iou"),
        ("regression", VALUES, dense(1), "MeanSquaredError", "mae"),
        ("regression", VALUES[:, 0], dense(1), "MeanSquaredError", "mae"),
    ],
)
def test_loss_and_metric_follow_from_the_task(task, targets, head, loss, metric) -> None:
    model, examples = net(head), data(targets)
    found = Task.of(model, examples, task=task)
    (output,) = found.outputs
    require_output(model, output, examples)
    assert type(found.loss).__name__ == loss
    assert found.metric.name == metric
    model.compile("sgd", found.loss, metrics=found.watched)
    history = model.fit(examples.train.inputs, examples.train.targets, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    assert len(history) == 2
    predicted = model.predict(examples.test.inputs, verbose=0)
    assert np.isfinite(found.metric.value(examples.test.targets, predicted))


@pytest.mark.parametrize(
    ("task", "targets", "units", "activation"),
    [
        ("classification", CLASSES, 3, "softmax"),
        ("classification", CLASSES % 2, 1, "sigmoid"),
        ("multilabel", LABELS, 2, "sigmoid"),
    ],
)
def test_probabilities_and_scores_of_them_have_the_same_loss(task, targets, units, activation):
    scores = np.random.default_rng(0).normal(size=(COUNT, units)).astype(np.float32)
    losses = []
    for given in (None, activation):
        found = Task.of(net(dense(units, given)), data(targets), task=task)
        outputs = scores if given is None else keras.activations.get(given)(scores)
        losses.append(float(found.loss(targets, outputs)))
        assert found.metric.value(targets, np.asarray(outputs)) == Task.of(
            net(dense(units)), data(targets), task=task
        ).metric.value(targets, scores)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_named_metric_takes_the_place_of_the_tasks() -> None:
    model, examples = net(dense(1)), data(VALUES)
    assert Task.of(model, examples, task="regression", metric="r2").metric == te.metrics.R2()
    with pytest.raises(te.errors.DataError, match="unknown metric 'r3'"):
        Task.of(model, examples, task="regression", metric="r3")


def test_several_outputs_have_a_loss_each_and_one_score() -> None:
    model = net(dense(3, name="kind"), dense(1, name="size"))
    targets = {"size": VALUES, "kind": CLASSES}
    tasks = {"kind": "classification", "size": "regression"}
    found = Task.of(model, data(targets), task=tasks)
    assert {name: type(loss).__name__ for name, loss in found.loss.items()} == {
        "kind": "SparseCategoricalCrossentropy",
        "size": "MeanSquaredError",
    }
    outputs = {"kind": np.eye(3)[np.zeros(COUNT, int)], "size": VALUES + 0.5}
    assert found.metric.value(targets, outputs) == pytest.approx((1 / 3 - 0.5) / 2)
    weighed = {"kind": "accuracy", "size": WeightedMetric("mae", 0.1)}
    other = Task.of(model, data(targets), task=tasks, metric=weighed)
    assert other.metric.value(targets, outputs) == pytest.approx(1 / 3 - 0.05)


def test_the_bundle_gets_the_names_of_classes_that_have_a_number_each() -> None:
    names = ("a", "b", "c")
    assert Task.of(net(dense(3)), data(CLASSES, classes=names)).labels == names
    assert Task.of(net(dense(1)), data(CLASSES % 2)).labels is None
    assert Task.of(net(dense(1)), data(VALUES), task="regression").labels is None
    model = net(dense(3, name="kind"), dense(1, name="size"))
    tasks = {"kind": "classification", "size": "regression"}
    found = Task.of(model, data({"kind": CLASSES, "size": VALUES}), task=tasks)
    assert found.labels == {"kind": ("0", "1", "2")}


@pytest.mark.parametrize(
    ("task", "targets", "units"),
    [
        ("classification", CLASSES, 3),
        ("multilabel", LABELS, 2),
        ("segmentation", MASKS, 3),
        ("regression", VALUES[:, 0], 1),
        ("regression", np.hstack([VALUES, VALUES]), 2),
    ],
)
def test_a_net_of_the_zoo_gets_as_many_outputs_as_the_task_asks(task, targets, units) -> None:
    examples = data(targets)
    assert units_of(examples, tasks_of(task, examples)) == units


@pytest.mark.parametrize(
    ("task", "targets", "head", "message"),
    [
        ("classification", CLASSES, dense(7), r"\(7,\).*3 classes.*\(3,\)"),
        ("classification", VALUES, dense(1), "one class for each example.*task: regression"),
        ("classification", MASKS, pixels(3), "one class for each.*task: segmentation"),
        ("segmentation", CLASSES, pixels(3), "a class for every pixel"),
        ("segmentation", MASKS, dense(3), r"\(3,\).*\(4, 4, 3\)"),
        ("multilabel", VALUES, dense(1), "other numbers than 0 and 1"),
        ("multilabel", LABELS, dense(3), r"\(3,\).*\(2,\)"),
        ("regression", VALUES, dense(2), r"\(2,\).*\(1,\)"),
        ("regression", VALUES, pixels(1), r"\(4, 4, 1\).*\(1,\)"),
    ],
)
def test_what_does_not_fit_the_task_is_named(task, targets, head, message) -> None:
    model, examples = net(head), data(targets)
    (output,) = outputs_of(model, examples, task)
    with pytest.raises(StageError, match=message):
        require_output(model, output, examples)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((COUNT, 5, 4, 1), np.float32), r"\(4, 4, 1\).*\(5, 4, 1\); choose another"),
        (np.zeros((COUNT, 5, 5, 1), np.uint8), r"data\.image_size"),
        ({"a": np.zeros((COUNT, 4, 4, 1)), "b": np.zeros((COUNT, 2))}, "the inputs a, b.*x/NAME"),
    ],
)
def test_inputs_that_do_not_fit_are_named(inputs, message) -> None:
    with pytest.raises(StageError, match=message):
        require_inputs(net(dense(3)), data(CLASSES, inputs))


def test_an_open_size_takes_any() -> None:
    inputs = keras.Input((None, None, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(inputs))
    require_inputs(keras.Model(inputs, pooled), data(CLASSES))


def test_values_do_not_go_into_a_model_of_indices() -> None:
    inputs = keras.Input((4, 4, 1), dtype="int32")
    model = keras.Model(inputs, keras.layers.Flatten()(inputs))
    with pytest.raises(StageError, match=r"int32.*float32.*whole numbers"):
        require_inputs(model, data(CLASSES))


def test_outputs_and_targets_of_other_names_are_told_apart() -> None:
    model = net(dense(3, name="kind"), dense(1, name="size"))
    with pytest.raises(StageError, match=r"one target.*y/NAME"):
        outputs_of(model, data(CLASSES), "classification")
    with pytest.raises(StageError, match=r"targets kind, weight.*outputs kind, size"):
        outputs_of(model, data({"kind": CLASSES, "weight": VALUES}), "classification")
    with pytest.raises(StageError, match=r"tasks for kind.*one for each target"):
        tasks_of({"kind": "classification"}, data({"kind": CLASSES, "size": VALUES}))


def task(name: Any, targets: np.ndarray, shape: tuple[int, ...], metric: te.Metric) -> Task:
    classes = () if name == "regression" else tuple(map(str, range(int(targets.max()) + 1)))
    return Task((Output("", name, shape, False, targets, classes),), metric)


@pytest.mark.parametrize(
    ("share", "labels", "warns"),
    [
        (1 / 3, np.arange(450) % 3, True),
        (0.37, np.arange(450) % 3, True),
        (0.5, np.arange(450) % 3, False),
        (0.9, np.array([0] * 90 + [1] * 10), True),
        (0.99, np.array([0] * 90 + [1] * 10), False),
    ],
)
def test_an_accuracy_at_chance_level_is_remarked(share, labels, warns) -> None:
    metric = te.metrics.ClassAccuracy()
    split = Split(np.zeros((len(labels), 1)), labels)
    found = np.random.default_rng(0).permutation(len(labels)) < share * len(labels)
    classes = int(labels.max()) + 1
    remark = chance_remark(
        Answers(metric, {"right": found}),
        split,
        task("classification", labels, (classes,), metric),
    )
    assert (remark is not None) == warns


@pytest.mark.parametrize(("spread", "warns"), [(0.01, False), (1.0, True)])
def test_values_no_closer_than_the_median_are_remarked(spread, warns) -> None:
    random = np.random.default_rng(0)
    labels = random.normal(size=(200, 1)).astype(np.float32)
    outputs = labels + random.normal(0, spread, labels.shape)
    metric = te.metrics.MeanAbsoluteError()
    remark = chance_remark(
        Answers.of(metric, labels, outputs),
        Split(np.zeros((200, 1)), labels),
        task("regression", labels, (1,), metric),
    )
    assert (remark is not None) == warns


@pytest.mark.parametrize(("wrong", "warns"), [(0.1, False), (0.9, True)])
def test_a_segmentation_no_better_than_the_commonest_class_is_remarked(wrong, warns) -> None:
    random = np.random.default_rng(0)
    masks = (random.random((60, 5, 5)) < 0.2).astype(np.int64)
    chosen = np.where(random.random(masks.shape) < wrong, 1 - masks, masks)
    metric = te.metrics.MeanIoU()
    remark = chance_remark(
        Answers.of(metric, masks, np.eye(2)[chosen]),
        Split(np.zeros((60, 5, 5, 1), np.uint8), masks),
        task("segmentation", masks, (5, 5, 2), metric),
    )
    assert (remark is not None) == warns
