"""Frozen and half-frozen nets: transfer learning, then elastic training."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import tfelastic as te

IMAGES = np.random.default_rng(0).normal(1.0, 2.0, (64, 8, 8, 3)).astype("float32")
LABELS = (IMAGES.mean(axis=(1, 2, 3)) > 1).astype("int32")
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def backbone() -> keras.Model:
    inputs = x = keras.Input((8, 8, 3))
    for number in range(2):
        x = layers.Conv2D(16, 3, padding="same", use_bias=False, name=f"conv{number}")(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.5, name=f"norm{number}")(x))
    return keras.Model(inputs, x, name="backbone")


def classifier(frozen: str) -> keras.Model:
    """Freeze the backbone's BatchNorms, its first layers, or all of it as a nested model."""
    keras.utils.set_random_seed(0)
    base = backbone()
    te.recalibrate(base, IMAGES)
    if frozen == "nested backbone":
        base.trainable = False
        inputs = keras.Input((8, 8, 3))
        features = base(inputs)
    else:
        inputs, features = base.inputs, base.outputs[0]
        for layer in base.layers:
            norm = isinstance(layer, layers.BatchNormalization)
            layer.trainable = not (norm if frozen == "norms" else layer.name.endswith("0"))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(features)))
    model.compile(keras.optimizers.Adam(0.01), LOSS)
    return model


def norms(model: keras.Model) -> list[keras.Layer]:
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += norms(layer)
        elif isinstance(layer, layers.BatchNormalization):
            found.append(layer)
    return found


def frozen_weights(model: keras.Model) -> list[np.ndarray]:
    """Return the weights of all frozen layers, in the order of the layers."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += frozen_weights(layer)
        elif not layer.trainable:
            found += layer.get_weights()
    return found


def assert_statistics_are_right(model: keras.Model) -> None:
    """Compare what a BatchNorm holds with what enters it, in inference, computed by numpy."""
    nested = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    source = nested[0] if nested else model
    last = norms(source)[-1]
    seen = keras.Model(source.inputs, last.input).predict(IMAGES, verbose=0).astype("float64")
    np.testing.assert_allclose(last.moving_variance, seen.var((0, 1, 2)), rtol=0.05)


@pytest.mark.parametrize("frozen", ["norms", "first layers", "nested backbone"])
def test_joint_training_keeps_what_is_frozen_and_measures_each_rungs_own(frozen: str) -> None:
    model = classifier(frozen)
    net = te.ElasticModel(model, te.ladder(model, widths=(1, 0.25)))
    before = frozen_weights(net.base)
    own = [variable.numpy() for variable in net.narrow[0].statistics]
    net.compile(keras.optimizers.Adam(0.01), LOSS)
    net.fit(IMAGES, LABELS, epochs=2, verbose=0)
    assert before
    moved = [not np.array_equal(a, b) for a, b in zip(own, net.narrow[0].statistics, strict=True)]
    assert all(moved), "a narrow rung trains on statistics of what enters it"
    net.recalibrate(IMAGES)
    assert all(map(np.array_equal, before, frozen_weights(net.base)))
    assert_statistics_are_right(net.cut("w025"))
    assert [norm.trainable for norm in norms(net.cut("w025"))] == [
        norm.trainable for norm in norms(model)
    ]


@pytest.mark.parametrize("frozen", ["norms", "nested backbone"])
def test_growing_ends_in_the_full_net_as_it_was_frozen(frozen: str) -> None:
    model = classifier(frozen)
    ladder = te.ladder(model, widths=(1, 0.25))
    expected = frozen_weights(te.prune(model, ladder.rungs[0].plan))
    net = te.prune_and_grow(
        model, (IMAGES, LABELS), ladder=ladder, training=te.LevelTraining(epochs=1)
    )
    assert expected
    assert all(map(np.array_equal, expected, frozen_weights(net.base)))
    assert_statistics_are_right(net.cut("w025"))


def test_several_inputs_are_recalibrated_rung_by_rung() -> None:
    inputs = {name: keras.Input((8, 8, 3), name=name) for name in ("left", "right")}
    x = layers.Add()([layers.Conv2D(16, 3)(each) for each in inputs.values()])
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    model.compile("sgd", LOSS)
    data = {"left": IMAGES, "right": 2 * IMAGES}
    ladder = te.ladder(model, widths=(1, 0.5))
    joint = te.ElasticModel(model, ladder)
    joint.recalibrate(data, batch_size=64)
    grown = te.prune_and_grow(
        model, (data, LABELS), ladder=ladder, training=te.LevelTraining(epochs=1)
    )
    for net in (joint, grown):
        cut = net.cut("w050")
        norm = cut.get_layer("norm")
        seen = ops.convert_to_numpy(keras.Model(cut.inputs, norm.input)(data))
        np.testing.assert_allclose(norm.moving_mean, seen.mean((0, 1, 2)), rtol=1e-3, atol=1e-3)
