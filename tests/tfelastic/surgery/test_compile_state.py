"""How a model was compiled is carried over as far as it can be, and what was not is named."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops

import tfelastic as te


def squared(y, p):
    return ops.mean(ops.square(y - p), axis=-1)


class Half(keras.metrics.Mean):
    """A metric that nobody registered."""


class Rise(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that nobody registered."""

    def __call__(self, step):
        return 0.25 + 0.0 * ops.cast(step, "float32")

    def get_config(self):
        return {}


class Own(keras.losses.Loss):
    """A loss class that nobody registered."""

    def call(self, y, p):
        return squared(y, p)


@pytest.fixture
def model():
    layers = [keras.Input((6,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3)]
    return keras.Sequential(layers)


def halved(model):
    return te.prune(model, te.plan(model, budget=te.Budget(params=0.5)))


def halved_with_warning(model):
    # Keras itself emits others, which `pytest.warns` would emit again.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pruned = halved(model)
    (found,) = [each for each in caught if each.category is UserWarning]
    return pruned, str(found.message)


X, Y = np.ones((4, 6), "float32"), np.zeros((4, 3), "float32")


@pytest.mark.parametrize("loss", [squared, lambda y, p: squared(y, p), Own(), [squared]])
def test_a_loss_of_the_users_own_is_taken_over(model, loss):
    model.compile("adam", loss=loss)
    pruned = halved(model)
    expected = float(np.mean(np.square(pruned.predict(X, verbose=0))))
    np.testing.assert_allclose(pruned.evaluate(X, Y, verbose=0), expected, rtol=1e-5)


def test_a_metric_that_cannot_be_made_anew_is_left_out_and_named(model):
    model.compile("adam", "mse", metrics=[Half()])
    pruned, warning = halved_with_warning(model)
    assert "without its own metrics" in warning
    assert "register_keras_serializable" in warning
    assert pruned.loss == "mse"
    pruned.fit(X, Y, verbose=0)


def test_an_unknown_schedule_becomes_the_rate_that_it_reached(model):
    model.compile(keras.optimizers.SGD(Rise(), momentum=0.75), "mse")
    pruned, warning = halved_with_warning(model)
    assert "without its own optimizer" in warning
    assert float(pruned.optimizer.learning_rate) == 0.25
    assert pruned.optimizer.momentum == 0.75


OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(),
    "adamw_with_schedule": lambda: keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(0.1, 10)
    ),
    "loss_scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()),
    "moving_average": lambda: keras.optimizers.Adam(use_ema=True),
    "accumulated": lambda: keras.optimizers.Adam(gradient_accumulation_steps=2),
}


def assert_saved_with_its_optimizer(model, file):
    """A warning of Keras, which says what it could not load, is an error in these tests."""
    model.save(file)
    loaded = keras.saving.load_model(file)
    pairs = zip(model.optimizer.variables, loaded.optimizer.variables, strict=True)
    for saved, restored in pairs:
        np.testing.assert_array_equal(
            ops.convert_to_numpy(saved), ops.convert_to_numpy(restored), saved.path
        )


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("elastic", [False, True])
def test_optimizers_are_saved_and_loaded_before_and_after_a_step(model, tmp_path, name, elastic):
    options = {"optimizer": OPTIMIZERS[name](), "loss": "mse", "run_eagerly": True}
    if elastic:
        net = te.ElasticModel(model, te.ladder(model, widths=(1, 0.5), round_to=1))
        net.compile(**options)
    else:
        model.compile(**options)
        net = halved(model)
    assert_saved_with_its_optimizer(net, tmp_path / "before.keras")
    net.fit(X, Y, verbose=0)
    assert int(net.optimizer.iterations) == 1 or name == "accumulated"
    assert_saved_with_its_optimizer(net, tmp_path / "after.keras")


def test_a_cut_rung_is_saved_as_the_network_was_compiled(model, tmp_path):
    model.compile(OPTIMIZERS["momentum"](), "mse", run_eagerly=True)
    small = te.ElasticModel(model, te.ladder(model, widths=(1, 0.5), round_to=1)).cut("w050")
    assert not small.compiled
    small.compile(OPTIMIZERS["momentum"](), "mse", run_eagerly=True)
    small.fit(X, Y, verbose=0)
    assert_saved_with_its_optimizer(small, tmp_path / "cut.keras")
