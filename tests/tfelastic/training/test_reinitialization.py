"""Untrained again: what is drawn anew, what stays, and that only the seed decides."""

import random

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
from tfelastic.errors import TrainingError


def values(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def same(model: keras.Model, other: keras.Model) -> bool:
    pairs = zip(values(model), values(other), strict=True)
    return all(np.array_equal(one, two) for one, two in pairs)


def resnet(**options) -> keras.Model:
    return te.zoo.build("resnet8", input_shape=(16, 16, 3), classes=4, **options)


def trained(model: keras.Model) -> keras.Model:
    """Move every weight, as training does, frozen layers' excepted."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        for weight in layer.weights if layer.trainable else ():
            weight.assign(weight + rng.uniform(0.5, 1.0, weight.shape))
    return model


def test_the_seed_alone_decides() -> None:
    model = trained(resnet())
    first = te.reinitialize(model, seed=7)
    random.seed(123)
    keras.utils.set_random_seed(5)
    assert same(first, te.reinitialize(model, seed=7))
    assert same(first, te.reinitialize(resnet(), seed=7))
    other = te.reinitialize(model, seed=8)
    kernels = [layer.name for layer in model.layers if hasattr(layer, "kernel") and layer.trainable]
    for name in kernels:
        pair = [keras.ops.convert_to_numpy(m.get_layer(name).kernel) for m in (first, other)]
        assert not np.isclose(*pair).any(), name


def test_it_leaves_the_model_and_pythons_random_numbers_alone() -> None:
    model = trained(resnet())
    before, state = values(model), random.getstate()
    te.reinitialize(model, seed=1)
    assert random.getstate() == state
    for old, new in zip(before, values(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_are_drawn_from_the_layers_own_initializers() -> None:
    initializer = keras.initializers.RandomNormal(mean=3.0, stddev=0.5, seed=1)
    model = keras.Sequential(
        [
            keras.Input((100,)),
            layers.Dense(100, kernel_initializer=initializer, bias_initializer="ones"),
            layers.Dense(100, kernel_initializer="he_normal"),
        ]
    )
    one, two = te.reinitialize(trained(model), seed=0).layers
    assert np.mean(one.kernel) == pytest.approx(3.0, abs=0.03)
    assert np.std(one.kernel) == pytest.approx(0.5, abs=0.02)
    assert np.all(one.bias == 1.0)
    assert np.std(two.kernel) == pytest.approx(np.sqrt(2 / 100), rel=0.05)


def test_layers_alike_are_drawn_apart() -> None:
    """A seed written into the initializers would make equal layers equal."""
    kernel = keras.initializers.GlorotUniform(seed=3)
    dense = [layers.Dense(8, kernel_initializer=kernel) for _ in range(2)]
    model = te.reinitialize(keras.Sequential([keras.Input((8,)), *dense]), seed=0)
    one, two = (np.asarray(layer.kernel) for layer in model.layers)
    assert not np.isclose(one, two).any()


def test_statistics_start_anew_and_constants_stay() -> None:
    model = trained(resnet())
    fresh = te.reinitialize(model, seed=0)
    for layer, new in zip(model.layers, fresh.layers, strict=True):
        if isinstance(layer, layers.BatchNormalization):
            for weight, start in zip(new.weights, (1.0, 0.0, 0.0, 1.0), strict=True):
                assert np.all(weight == start)
    shortcuts = [
        name for name in (layer.name for layer in model.layers) if name.endswith("shortcut")
    ]
    assert shortcuts
    for name in shortcuts:
        kernels = [np.asarray(each.get_layer(name).kernel) for each in (model, fresh)]
        np.testing.assert_array_equal(*kernels)
        assert set(np.unique(kernels[1])) == {0.0, 1.0}
        assert not fresh.get_layer(name).trainable


def test_frozen_layers_and_adapted_normalization_stay() -> None:
    normalization = layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 9.0])
    adapted = layers.Normalization()
    adapted.adapt(np.array([[0.0, 2.0], [4.0, 8.0]]))
    frozen = layers.BatchNormalization(trainable=False)
    model = keras.Sequential([keras.Input((2,)), normalization, adapted, frozen])
    for weight in frozen.weights:
        weight.assign([0.3, 0.7])
    model.build()
    fresh = te.reinitialize(model, seed=0)
    data = np.array([[3.0, -1.0]])
    np.testing.assert_allclose(fresh(data), model(data), rtol=1e-6)


def test_nested_and_shared_layers() -> None:
    shared = layers.Dense(4, name="shared")
    inner_input = keras.Input((4,))
    inner = keras.Model(
        inner_input, layers.Dense(4, name="inside")(shared(inner_input)), name="inner"
    )
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Add()([inner(inputs), inner(shared(inputs))]))
    fresh = te.reinitialize(model, seed=0)
    assert fresh.count_params() == model.count_params() == 40
    assert fresh.get_layer("inner").get_layer("shared") is fresh.get_layer("shared")
    kernels = (
        np.asarray(each.get_layer("inner").get_layer("inside").kernel) for each in (model, fresh)
    )
    assert not np.isclose(*kernels).any()


def test_a_compiled_model_trains_at_once_and_from_the_start() -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(32, 16, 16, 3)), rng.integers(0, 4, 32)
    model = resnet()
    model.compile(
        optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    model.fit(images, labels, verbose=0)
    plan = te.plan(model, strategy="complexity", budget=te.Budget(params=0.5))
    small = te.reinitialize(te.prune(model, plan), seed=0)
    assert int(small.optimizer.iterations) == 0
    small.fit(images, labels, verbose=0)
    assert int(small.optimizer.iterations) == 1


def test_random_layers_start_from_the_seed() -> None:
    model = keras.Sequential([keras.Input((50,)), layers.Dropout(0.5)])
    masks = [te.reinitialize(model, seed=s)(np.ones((1, 50)), training=True) for s in (1, 1, 2)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert np.any(np.asarray(masks[0]) != np.asarray(masks[2]))


def test_an_initializer_that_hides_in_build() -> None:
    """No config tells of it, so its seed can only come from Keras' own draw."""

    @keras.saving.register_keras_serializable("tests")
    class Hidden(layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1],), initializer="random_normal")

        def call(self, inputs):
            return inputs * self.kernel

    model = keras.Sequential([keras.Input((6,)), Hidden()])
    one, two, other = (te.reinitialize(model, seed=s) for s in (1, 1, 2))
    assert same(one, two)
    assert not same(one, other)
    assert not same(one, model)


def test_a_layer_that_cannot_be_made_anew_is_named() -> None:
    @keras.saving.register_keras_serializable("tests")
    class Growing(layers.Layer):
        """Its weight's size is set from outside, and in no config."""

        size = 3

        def build(self, shape):
            self.kernel = self.add_weight(shape=(self.size,))

        def call(self, inputs):
            return inputs

    layer = Growing(name="growing")
    model = keras.Sequential([keras.Input((6,)), layer])
    fresh = te.reinitialize(model, seed=0)
    assert fresh.layers[0].kernel.shape == (3,)
    sizes = iter([3, 4])
    Growing.size = property(lambda self: next(sizes))
    with pytest.raises(TrainingError, match=r"'growing'.*get_config"):
        te.reinitialize(model, seed=0)
