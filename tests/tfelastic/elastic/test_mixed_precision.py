"""`mixed_bfloat16`: layers compute in half precision, weights, logits and losses stay in single."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te

IMAGES = np.random.default_rng(0).normal(size=(64, 8, 8, 3)).astype("float32")
LABELS = (IMAGES.mean(axis=(1, 2, 3)) > 0).astype("int32")
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture(autouse=True)
def mixed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(
        keras.utils, "clear_session", lambda **_: None
    )  # It would reset the policy.
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def classifier() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.5)(x))
    x = layers.Dense(2)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, layers.Activation("linear", dtype="float32")(x))
    model.compile(keras.optimizers.Adam(0.01), LOSS)
    return model


def assert_master_weights(net: keras.Model) -> None:
    assert {v.dtype for v in net.weights if "seed" not in v.path} == {"float32"}
    assert all(np.isfinite(v.numpy()).all() for v in net.weights)


def test_joint_training_recalibration_saving_and_loading(tmp_path: Path) -> None:
    model = classifier()
    net = te.ElasticModel(model, te.ladder(model, widths=(1, 0.5)))
    net.compile(keras.optimizers.Adam(0.01), LOSS)
    history = net.fit(IMAGES, LABELS, epochs=8, batch_size=16, verbose=0).history["loss"]
    assert history[-1] < history[0]
    net.recalibrate(IMAGES)
    assert_master_weights(net)
    net.save(tmp_path / "net.keras")
    keras.config.set_dtype_policy("float32")  # The policy is the layers' own.
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    for name in net.names:
        expected = net.rung(name)(IMAGES)
        assert expected.dtype == "float32"
        assert np.array_equal(expected, loaded.rung(name)(IMAGES))
        assert np.array_equal(expected, loaded.cut(name)(IMAGES))
        assert loaded.cut(name).layers[1].compute_dtype == "bfloat16"


def test_growing_and_a_student() -> None:
    model = classifier()
    ladder = te.ladder(model, widths=(1, 0.5))
    grown = te.prune_and_grow(
        model, (IMAGES, LABELS), ladder=ladder, training=te.LevelTraining(epochs=1)
    )
    assert_master_weights(grown)
    small = grown.cut("w050")
    student = te.Student(small, model)
    student.compile("sgd", LOSS)
    assert np.isfinite(student.fit(IMAGES, LABELS, verbose=0).history["loss"]).all()
    assert_master_weights(small)
