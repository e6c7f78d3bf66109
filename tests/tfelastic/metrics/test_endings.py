"""What a model's outputs are, whatever layers compute them."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import tfelastic as te
from tfelastic.metrics import endings_of


def of(head: Callable[[Any], Any], loss: Any = None, shape: tuple[int, ...] = (6, 6, 4)) -> str:
    inputs = keras.Input(shape)
    x = layers.ReLU()(layers.Conv2D(5, 3, padding="same")(inputs))
    (ending,) = endings_of(te.trace(keras.Model(inputs, head(x))), [loss])
    return ending


def dense(units: int, **options: Any) -> Callable[[Any], Any]:
    return lambda x: layers.Dense(units, **options)(layers.GlobalAveragePooling2D()(x))


def then(*parts: Any) -> Callable[[Any], Any]:
    def head(x: Any) -> Any:
        for part in parts:
            x = part(x)
        return x

    return head


def temperature(x: Any) -> Any:
    return x / 2.5


@keras.saving.register_keras_serializable("tests")
class Cosine(layers.Layer):
    """A head of a user's own: scores that are affine in what it is given."""

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], 3), name="kernel")

    def call(self, inputs: Any) -> Any:
        return ops.matmul(inputs, self.kernel / ops.norm(self.kernel, axis=0))


SCORES = {
    "dense": dense(3),
    "a linear activation after it": then(dense(3), layers.Activation("linear", name="tail")),
    "a cast": then(dense(3), layers.Activation("linear", dtype="float64", name="tail")),
    "a cast operation": then(dense(3), lambda x: ops.cast(x, "float16")),
    "dropout": then(dense(3), layers.Dropout(0.5)),
    "a temperature": then(dense(3), temperature),
    "a lambda": then(dense(3), layers.Lambda(lambda x: 2 * x, output_shape=(3,))),
    "batch normalization": then(dense(3), layers.BatchNormalization()),
    "a pooled convolution": then(layers.Conv2D(3, 1), layers.GlobalAveragePooling2D()),
    "a convolution of pooled features": then(
        layers.GlobalAveragePooling2D(keepdims=True), layers.Conv2D(3, 1), layers.Reshape((3,))
    ),
    "a flattened convolution": then(layers.Conv2D(3, 6), layers.Flatten(), layers.Identity()),
    "an average of two heads": lambda x: layers.Average()([dense(3)(x), dense(3)(x)]),
    "a layer of the user's own": then(layers.Flatten(), Cosine()),
    "a nested model": lambda x: keras.Sequential(
        [keras.Input(x.shape[1:]), layers.Flatten(), layers.Dense(3), layers.Activation("linear")]
    )(x),
}


@pytest.mark.parametrize("head", SCORES.values(), ids=SCORES)
def test_class_scores(head: Callable[[Any], Any]) -> None:
    assert of(head) == "logits"
    assert of(then(head, layers.Softmax())) == "probabilities"
    assert of(then(head, layers.Activation("sigmoid"))) == "binary_probabilities"
    assert of(then(head, layers.Activation("tanh"))) == "values"


PROBABILITIES = {
    "in the layer": dense(3, activation="softmax"),
    "a layer": then(dense(3), layers.Softmax()),
    "an operation": then(dense(3), ops.softmax),
    "a function of the user's own": dense(3, activation=lambda x: ops.exp(ops.log_softmax(x))),
    "cast": then(
        dense(3, activation="softmax"), layers.Activation("linear", dtype="float64", name="tail")
    ),
    "reshaped": then(dense(6, activation="softmax"), layers.Reshape((1, 6))),
    "at every pixel": then(layers.Conv2D(3, 1, activation="softmax")),
    "upsampled": then(
        layers.Conv2D(3, 1, activation="softmax"), layers.UpSampling2D(2, interpolation="bilinear")
    ),
    "averaged over pixels": then(
        layers.Conv2D(3, 1), layers.Softmax(), layers.GlobalAveragePooling2D()
    ),
}


@pytest.mark.parametrize("head", PROBABILITIES.values(), ids=PROBABILITIES)
def test_distributions(head: Callable[[Any], Any]) -> None:
    assert of(head) == "probabilities"
    assert of(head, "categorical_crossentropy") == "probabilities"
    assert of(head, "mse") == "values"


@pytest.mark.parametrize("units", [1, 4])
@pytest.mark.parametrize("activation", ["sigmoid", "hard_sigmoid", ops.sigmoid])
def test_yes_or_no(units: int, activation: Any) -> None:
    head = dense(units, activation=activation)
    assert of(head) == "binary_probabilities"
    assert of(then(head, layers.Reshape((units, 1)))) == "binary_probabilities"
    assert of(head, "binary_crossentropy") == "binary_probabilities"
    assert of(dense(units), keras.losses.BinaryCrossentropy(from_logits=True)) == "binary_logits"
    assert of(head, "mean_absolute_error") == "values"


VALUES = {
    "one unit": dense(1),
    "one softmax unit, which is always 1": dense(1, activation="softmax"),
    "rectified": then(dense(3), layers.ReLU()),
    "rectified at 6": then(dense(3), layers.ReLU(6.0)),
    "softplus": dense(3, activation="softplus"),
    "softmax over another axis": then(layers.Conv2D(3, 1), layers.Softmax(axis=1)),
    "features": then(layers.GlobalAveragePooling2D()),
}


@pytest.mark.parametrize("head", VALUES.values(), ids=VALUES)
def test_other_values(head: Callable[[Any], Any]) -> None:
    assert of(head) == "values"


def own_loss(y_true: Any, y_pred: Any) -> Any:
    return ops.mean(ops.abs(y_true - y_pred), axis=-1)


@pytest.mark.parametrize(
    ("head", "loss", "ending"),
    [
        (dense(3), "sparse_categorical_crossentropy", "logits"),
        (dense(3), own_loss, "logits"),
        (dense(3), "huber", "values"),
        (dense(3), keras.losses.MeanSquaredError(), "values"),
        (dense(1), "binary_crossentropy", "binary_logits"),
        (layers.Conv2D(3, 1), None, "logits"),
        (
            layers.Conv2D(3, 1),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "logits",
        ),
        (layers.Conv2D(3, 1), own_loss, "values"),
        (
            layers.Conv2D(3, 1),
            keras.losses.BinaryFocalCrossentropy(from_logits=True),
            "binary_logits",
        ),
    ],
)
def test_the_loss_says_what_scores_are_for(head: Any, loss: Any, ending: str) -> None:
    assert of(head, loss) == ending


def test_a_published_network_without_its_last_activation() -> None:
    options = {"weights": None, "input_shape": (32, 32, 3), "classes": 7}
    for build in (keras.applications.MobileNet, keras.applications.MobileNetV2):
        scores = build(**options, classifier_activation=None)
        assert endings_of(te.trace(scores)) == ("logits",)
    assert endings_of(te.trace(keras.applications.MobileNet(**options))) == ("probabilities",)


def test_several_outputs_each_by_its_loss() -> None:
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation="relu")(inputs)
    outputs = {"box": layers.Dense(4)(x), "kind": layers.Dense(3)(x), "there": layers.Dense(1)(x)}
    graph = te.trace(keras.Model(inputs, outputs))
    binary = keras.losses.BinaryCrossentropy(from_logits=True)
    assert endings_of(graph, ["mse", None, binary]) == ("values", "logits", "binary_logits")


def test_only_the_last_layers_are_run(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    call = layers.BatchNormalization.call

    def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        called.append(self.name)
        return call(self, *args, **kwargs)

    inputs = keras.Input((6, 6, 4))
    x = layers.BatchNormalization(name="early")(layers.Conv2D(5, 3)(inputs))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    model = keras.Model(inputs, layers.BatchNormalization(name="late")(layers.Dense(3)(x)))
    graph = te.trace(model)
    monkeypatch.setattr(layers.BatchNormalization, "call", counting)
    weights = model.get_weights()
    assert endings_of(graph) == ("logits",)
    assert set(called) == {"late"}
    assert all(map(np.array_equal, weights, model.get_weights()))
