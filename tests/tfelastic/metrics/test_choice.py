"""Which metric a model is scored by: compiled or not, for every task, against what Keras' own evaluation says."""

import keras
import numpy as np
import pytest
from keras import layers, losses

import tfelastic as te
from tfelastic.errors import DataError
from tfelastic.metrics import (
    R2,
    BinaryAccuracy,
    ClassAccuracy,
    KerasMetric,
    MeanAbsoluteError,
    MeanIoU,
    OutputMetric,
    WeightedSum,
)


def net(*tail: keras.Layer, shape: tuple[int, ...] = (6,)) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(shape), *tail])


def pixels(units: int, **options) -> keras.Model:
    return net(layers.Conv2D(units, 1, **options), shape=(4, 4, 3))


def sigmoid(units: int) -> keras.Model:
    return net(layers.Dense(units, activation="sigmoid"))


HALF, ZERO = ClassAccuracy(threshold=0.5), ClassAccuracy(threshold=0.0)

COMPILED = [
    (net(layers.Dense(3)), losses.SparseCategoricalCrossentropy(from_logits=True), ClassAccuracy()),
    (net(layers.Dense(3)), "categorical_crossentropy", ClassAccuracy()),
    (sigmoid(1), "binary_crossentropy", HALF),
    (net(layers.Dense(1)), losses.BinaryCrossentropy(from_logits=True), ZERO),
    (net(layers.Dense(1)), losses.BinaryFocalCrossentropy(from_logits=True), ZERO),
    (net(layers.Dense(1, activation="tanh")), "hinge", ZERO),
    (sigmoid(4), "binary_crossentropy", BinaryAccuracy()),
    (
        net(layers.Dense(4)),
        losses.BinaryCrossentropy(from_logits=True),
        BinaryAccuracy(threshold=0.0),
    ),
    (net(layers.Dense(4, activation="softmax")), "binary_crossentropy", ClassAccuracy()),
    (net(layers.Dense(1)), "mse", MeanAbsoluteError()),
    (net(layers.Dense(3)), losses.Huber(), MeanAbsoluteError()),
    (pixels(3), losses.SparseCategoricalCrossentropy(from_logits=True), MeanIoU()),
    (
        pixels(3),
        losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255),
        MeanIoU(ignore_class=255),
    ),
    (pixels(1, activation="sigmoid"), "binary_crossentropy", MeanIoU(threshold=0.5)),
    (pixels(1, activation="sigmoid"), losses.Dice(), MeanIoU(threshold=0.5)),
    (pixels(2), "mae", MeanAbsoluteError()),
    (pixels(3, activation="sigmoid"), "binary_crossentropy", BinaryAccuracy()),
]


@pytest.mark.parametrize(("model", "loss", "expected"), COMPILED)
def test_the_compiled_loss_decides(model: keras.Model, loss, expected: te.Metric) -> None:
    model = keras.models.clone_model(model)
    model.compile(loss=loss)
    assert te.metric_of(model) == expected


UNCOMPILED = [
    (net(layers.Dense(3)), ClassAccuracy()),
    (net(layers.Dense(3, activation="softmax")), ClassAccuracy()),
    (sigmoid(1), HALF),
    (net(layers.Dense(1), layers.Activation("sigmoid")), HALF),
    (net(layers.Dense(1), layers.Activation(keras.ops.sigmoid)), HALF),
    (
        net(layers.Dense(1, activation="sigmoid"), layers.Activation("linear", dtype="float32")),
        HALF,
    ),
    (net(layers.Dense(1, activation="hard_sigmoid"), layers.Flatten()), HALF),
    (sigmoid(4), BinaryAccuracy()),
    (net(layers.Reshape((1, 1, 6)), layers.Conv2D(3, 1)), ClassAccuracy()),
    (pixels(3), MeanIoU()),
    (pixels(1, activation="sigmoid"), MeanIoU(threshold=0.5)),
]


@pytest.mark.parametrize(("model", "expected"), UNCOMPILED)
def test_without_a_loss_what_the_model_ends_in_decides(model, expected: te.Metric) -> None:
    assert te.metric_of(model) == expected


def test_one_unit_of_unknown_meaning_needs_a_metric() -> None:
    model = net(layers.Dense(1))
    with pytest.raises(DataError, match="may be a logit or a quantity"):
        te.metric_of(model)
    assert te.metric_of(model, "accuracy") == ZERO
    assert te.metric_of(model, "r2") == R2()
    pooled = net(layers.Conv2D(1, 1), layers.GlobalAveragePooling2D(), shape=(4, 4, 3))
    assert te.metric_of(pooled, "accuracy") == ZERO
    bounded = te.metric_of(net(layers.Dense(1), layers.ReLU()), "accuracy")
    with pytest.raises(DataError, match="give the metric threshold"):
        bounded(np.zeros(3, int), np.zeros((3, 1)))


def test_classes_and_labels_of_their_own_are_told_apart_by_shape() -> None:
    images, model = np.zeros((5, 6), "float32"), sigmoid(3)
    assert te.metric_of(model, labels=np.array([0, 1, 2, 0, 1])) == ClassAccuracy()
    assert te.metric_of(model, labels=np.zeros((5, 3), int)) == BinaryAccuracy()
    assert 0 <= te.Accuracy(images, np.array([0, 1, 2, 0, 1]))(model) <= 1
    model.compile(loss="mse")
    assert te.metric_of(model, labels=np.array([0, 1, 2, 0, 1])) == ClassAccuracy()
    assert te.metric_of(model, labels=np.zeros((5, 3))) == MeanAbsoluteError()


@pytest.mark.parametrize(
    ("units", "labels", "metric", "loss"),
    [
        (
            3,
            lambda rng: rng.integers(0, 3, 40),
            "sparse_categorical_accuracy",
            "sparse_categorical_crossentropy",
        ),
        (
            3,
            lambda rng: rng.integers(0, 3, (40, 1)),
            "sparse_categorical_accuracy",
            "sparse_categorical_crossentropy",
        ),
        (
            3,
            lambda rng: np.eye(3)[rng.integers(0, 3, 40)],
            "categorical_accuracy",
            "categorical_crossentropy",
        ),
        (1, lambda rng: rng.integers(0, 2, 40), "binary_accuracy", "binary_crossentropy"),
        (1, lambda rng: rng.integers(0, 2, (40, 1)), "binary_accuracy", "binary_crossentropy"),
        (4, lambda rng: rng.integers(0, 2, (40, 4)), "binary_accuracy", "binary_crossentropy"),
        (2, lambda rng: rng.normal(size=(40, 2)), "mean_absolute_error", "mse"),
        (1, lambda rng: rng.normal(size=40), "mean_absolute_error", "mse"),
    ],
)
def test_the_score_is_what_keras_evaluates(units, labels, metric, loss) -> None:
    rng = np.random.default_rng(3)
    ending = "softmax" if "categorical" in loss else "sigmoid" if "binary" in loss else None
    model = net(layers.Dense(units, activation=ending))
    inputs, y_true = rng.normal(size=(40, 6)).astype("float32"), labels(rng)
    model.compile(loss=loss, metrics=[metric])
    expected = model.evaluate(inputs, y_true, verbose=0, return_dict=True)[metric]
    assert te.score_of(model, inputs, y_true).value == pytest.approx(expected, abs=1e-6)
    asked = te.score_of(model, inputs, y_true, metric=keras.metrics.get(metric))
    assert asked.value == pytest.approx(expected, abs=1e-6)
    assert asked.higher_is_better == ("error" not in metric)


def test_a_keras_metric_gives_no_shape_a_chance_to_broadcast() -> None:
    metric = te.metric_of(net(layers.Dense(3)), keras.metrics.MeanAbsoluteError())
    assert isinstance(metric, KerasMetric)
    with pytest.raises(DataError, match="need labels of the same shape"):
        metric(np.zeros((4, 1)), np.zeros((4, 3)))
    with pytest.raises(DataError, match="need labels of the same shape"):
        metric(np.zeros(4), np.zeros((4, 3)))


def test_names_and_directions_that_are_not_known_are_refused() -> None:
    model = net(layers.Dense(3))
    with pytest.raises(DataError, match="unknown metric 'acuracy'; known: accuracy"):
        te.metric_of(model, "acuracy")
    with pytest.raises(DataError, match="give higher_is_better"):
        te.metric_of(model, keras.metrics.Mean())
    with pytest.raises(DataError, match="a metric is a name"):
        te.metric_of(model, 3)


def two_outputs(*, named: bool) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    kind = layers.Dense(3, activation="softmax", name="kind")(inputs)
    size = layers.Dense(1, name="size")(inputs)
    return keras.Model(inputs, {"kind": kind, "size": size} if named else [kind, size])


@pytest.mark.parametrize("named", [True, False])
def test_several_outputs_make_a_weighted_sum(named: bool) -> None:
    model = two_outputs(named=named)
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(30, 6)).astype("float32")
    labels = {"kind": rng.integers(0, 3, (30, 1)), "size": rng.normal(size=30)}
    given = labels if named else [labels["kind"], labels["size"]]
    losses_of = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    model.compile(loss=losses_of if named else list(losses_of.values()))
    outputs = model.predict(inputs, verbose=0)
    kind, size = (outputs["kind"], outputs["size"]) if named else outputs
    accuracy = (kind.argmax(-1) == labels["kind"][:, 0]).mean()
    error = np.abs(size[:, 0] - labels["size"]).mean()
    found = te.score_of(model, inputs, given)
    assert found.value == pytest.approx(accuracy / 2 - error / 2, rel=1e-5)
    asked = te.metric_of(model, {"kind": "accuracy", "size": ("mae", 0.1)})
    assert asked == WeightedSum(
        {
            "kind": OutputMetric(ClassAccuracy(), 1.0),
            "size": OutputMetric(MeanAbsoluteError(), 0.1),
        },
        ("kind", "size"),
    )
    assert asked(given, outputs).value == pytest.approx(accuracy - 0.1 * error, rel=1e-5)
    assert te.score_of(model, inputs, given, metric={"kind": "accuracy"}).value == accuracy
    with pytest.raises(DataError, match=r"metrics for \['colour'\] were given"):
        te.metric_of(model, {"colour": "mae"})


def test_a_function_of_the_user_s_scores_all_examples_together() -> None:
    model, sizes = net(layers.Dense(1)), []

    def spread(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        sizes.append((y_true.shape, y_pred.shape))
        return float(np.ptp(y_pred))

    inputs = np.random.default_rng(0).normal(size=(2000, 6)).astype("float32")
    score = te.score_of(model, inputs, np.zeros(2000), metric=spread)
    assert sizes == [((2000,), (2000, 1))]
    assert score == te.Score("spread", float(np.ptp(model.predict(inputs, verbose=0))))


def test_pruned_models_are_scored_by_the_original_s_metric() -> None:
    original = net(layers.Dense(1))
    original.compile(loss="mse")
    inputs = np.random.default_rng(0).normal(size=(20, 6)).astype("float32")
    evaluator = te.Evaluator(inputs, np.zeros(20)).resolved(original)
    pruned = keras.models.clone_model(original)
    pruned.set_weights(original.get_weights())
    assert evaluator.score(pruned) == te.score_of(original, inputs, np.zeros(20))
