"""Mixed precision: bfloat16 inside, float32 in variables and logits, and nothing of it left afterwards."""

import keras
import numpy as np
import pytest

import tfelastic as te
from pipelines.stages.precision import computing_in

layers = keras.layers


def net() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(16, 3, use_bias=False, name="conv")(layers.Rescaling(1 / 255)(inputs))
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, name="logits")(x), name="tiny")


def elastic() -> te.ElasticModel:
    model = net()
    return te.ElasticModel(model, te.ladder(model, widths=(1, 0.5)))


IMAGES = np.random.default_rng(0).integers(0, 255, (16, 8, 8, 1)).astype("float32")
LABELS = np.arange(16) % 3


@pytest.mark.parametrize("make", [net, elastic, lambda: te.Student(net(), net())])
def test_hidden_layers_compute_in_bfloat16_and_logits_are_float32(make) -> None:
    model = make()
    exact = keras.ops.convert_to_numpy(model(IMAGES))
    with computing_in("mixed_bfloat16", model):
        mixed = model(IMAGES)
        assert keras.backend.standardize_dtype(mixed.dtype) == "float32"
        mixed = keras.ops.convert_to_numpy(mixed)
    assert not np.array_equal(mixed, exact), "nothing computed in bfloat16"
    np.testing.assert_allclose(mixed, exact, atol=0.05 * np.abs(exact).max())
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(IMAGES)), exact)


@pytest.mark.parametrize("make", [net, elastic])
def test_a_training_leaves_float32_variables_and_a_plain_net(make) -> None:
    model = make()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01), loss)
    before = model.get_weights()
    with computing_in("mixed_bfloat16", model):
        history = model.fit(IMAGES, LABELS, epochs=2, batch_size=8, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert any(
        not np.array_equal(one, two) for one, two in zip(before, model.get_weights(), strict=True)
    )
    assert {v.dtype for v in model.variables if "seed" not in v.path} == {"float32"}
    plain = model.cut("w050") if isinstance(model, te.ElasticModel) else model
    assert "bfloat16" not in str(plain.get_config())


def test_in_float32_nothing_changes() -> None:
    model = net()
    with computing_in("float32", model):
        assert {layer.compute_dtype for layer in model.layers} == {"float32"}


def test_an_error_restores_the_precision() -> None:
    model = net()

    def fail() -> None:
        with computing_in("mixed_bfloat16", model):
            assert model.get_layer("conv").compute_dtype == "bfloat16"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert model.get_layer("conv").compute_dtype == "float32"
