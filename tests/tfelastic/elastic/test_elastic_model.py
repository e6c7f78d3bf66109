"""One set of weights for every rung: what is shared, what is a rung's own, and that all of it trains."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
from tfelastic.errors import PlanError

IMAGES = np.random.default_rng(0).normal(size=(64, 6, 6, 1)).astype("float32")
LABELS = (IMAGES.mean(axis=(1, 2, 3)) > 0).astype("int32")


def classifier(*, norm: bool = True) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 1))
    x = layers.Conv2D(8, 3, name="stem", use_bias=not norm)(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x) if norm else x)
    x = layers.Add()([x, layers.Conv2D(8, 3, padding="same", name="branch")(x)])
    return keras.Model(inputs, layers.Dense(2, name="logits")(layers.GlobalAveragePooling2D()(x)))


def elastic(*, norm: bool = True, **options: object) -> te.ElasticModel:
    model = classifier(norm=norm)
    return te.ElasticModel(model, te.ladder(model, widths=(1.0, 0.5)), **options)


def compiled(net: te.ElasticModel, **options: object) -> te.ElasticModel:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"], **options)
    return net


def losses(net: te.ElasticModel) -> list[float]:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return [float(loss(LABELS, net.rung(name)(IMAGES, training=False))) for name in net.names]


@pytest.mark.parametrize("jit", [False, True])
def test_training_lowers_every_rungs_loss(jit: bool) -> None:
    net = compiled(elastic(), jit_compile=jit)
    before = losses(net)
    history = net.fit(IMAGES, LABELS, batch_size=16, epochs=12, verbose=0).history
    assert set(history) == {"loss", "accuracy"}
    net.recalibrate(IMAGES, batch_size=32)
    assert all(late < 0.95 * early for early, late in zip(before, losses(net), strict=True))
    assert net.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)["accuracy"] > 0.6


def test_trains_from_a_tf_data_pipeline() -> None:
    tf = pytest.importorskip("tensorflow")
    net = compiled(elastic(distillation=te.Distillation(weight=0.5, temperature=2.0)))
    data = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(16)
    before = losses(net)
    net.fit(data, epochs=8, shuffle=False, verbose=0)
    net.recalibrate(IMAGES, batch_size=32)
    assert all(late < early for early, late in zip(before, losses(net), strict=True))


class Batches(keras.utils.PyDataset):
    """Four batches of 16."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return IMAGES[16 * index :][:16], LABELS[16 * index :][:16]


def test_trains_from_a_py_dataset_with_callbacks(tmp_path: Path) -> None:
    net = compiled(elastic(), run_eagerly=True)
    path = tmp_path / "best.keras"
    best = keras.callbacks.ModelCheckpoint(path, monitor="loss", save_best_only=True)
    rate = keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 if epoch < 1 else 0.0)
    net.fit(Batches(), epochs=2, verbose=0, callbacks=[best, rate])
    saved = keras.saving.load_model(path)
    for one, other in zip(saved.trainable_variables, net.trainable_variables, strict=True):
        assert np.array_equal(one, other)
    assert net.optimizer.iterations.numpy() == 8


def test_the_loss_is_the_labels_for_the_widest_and_the_widest_for_the_narrower() -> None:
    net = compiled(elastic(norm=False))
    wide, narrow = (net.rung(name)(IMAGES, training=True) for name in net.names)
    labels = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    taught = te.Distillation().loss(wide, narrow, ending="logits")
    assert float(net.compute_loss(IMAGES, LABELS, wide, training=True)) == pytest.approx(
        float(labels(LABELS, wide)) + float(taught), rel=1e-5
    )
    assert float(net.compute_loss(IMAGES, LABELS, wide, training=False)) == pytest.approx(
        float(labels(LABELS, wide)), rel=1e-5
    )


def test_without_distillation_every_rung_learns_from_the_labels() -> None:
    net = compiled(elastic(norm=False, distillation=None))
    wide, narrow = (net.rung(name)(IMAGES, training=True) for name in net.names)
    labels = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert float(net.compute_loss(IMAGES, LABELS, wide, training=True)) == pytest.approx(
        float(labels(LABELS, wide)) + float(labels(LABELS, narrow)), rel=1e-5
    )


def own_names(net: te.ElasticModel) -> set[str]:
    shared = set(map(id, net.base.weights))
    return {weight.name for weight in net.narrow[0].weights if id(weight) not in shared}


def test_kernels_are_shared_and_shifts_statistics_and_factors_are_a_rungs_own() -> None:
    assert own_names(elastic()) == {
        "norm_gamma_factor",
        "norm_beta",
        "norm_moving_mean",
        "norm_moving_variance",
        "branch_bias",
        "logits_bias",
    }
    assert own_names(elastic(norm=False)) == {"stem_bias", "branch_bias", "logits_bias"}


def test_one_update_of_a_kernel_is_seen_by_every_rung() -> None:
    net = elastic()
    before = [np.asarray(net.rung(name)(IMAGES)) for name in net.names]
    kernel = net.base.get_layer("stem").kernel
    kernel.assign(kernel.numpy() * 2.0)
    after = [np.asarray(net.rung(name)(IMAGES)) for name in net.names]
    assert all(not np.allclose(old, new) for old, new in zip(before, after, strict=True))
    leading = net.cut("w050").get_layer("stem").kernel
    assert np.array_equal(leading, kernel.numpy()[..., :4])


def test_channels_beyond_a_rung_do_not_touch_it() -> None:
    net = elastic()
    before = np.asarray(net.rung("w050")(IMAGES))
    kernel = net.base.get_layer("stem").kernel
    kernel.assign(np.concatenate([kernel.numpy()[..., :4], kernel.numpy()[..., 4:] + 1.0], axis=-1))
    assert np.array_equal(before, net.rung("w050")(IMAGES))


def test_training_moves_each_rungs_own_statistics() -> None:
    net = compiled(elastic())
    view = net.narrow[0]
    before = [variable.numpy() for variable in view.statistics]
    net.train_on_batch(IMAGES, LABELS)
    assert all(
        not np.array_equal(old, new) for old, new in zip(before, view.statistics, strict=True)
    )
    stem = net.base.get_layer("norm")
    assert not np.array_equal(view.statistics[0], stem.moving_mean.numpy()[:4])


def test_recalibrating_measures_every_rung_anew() -> None:
    net = elastic()
    net.base.get_layer("stem").kernel.assign(net.base.get_layer("stem").kernel.numpy() * 3.0)
    net.recalibrate(IMAGES, batch_size=64)
    features = keras.Model(net.base.input, net.base.get_layer("stem").output)(IMAGES)
    mean = np.mean(features, axis=(0, 1, 2))
    np.testing.assert_allclose(net.base.get_layer("norm").moving_mean, mean, atol=1e-5)
    np.testing.assert_allclose(net.narrow[0].statistics[0], mean[:4], atol=1e-5)


def test_a_factor_never_changes_a_scales_sign() -> None:
    net = compiled(elastic())
    (factor,) = [weight for weight in net.narrow[0].weights if weight.name == "norm_gamma_factor"]
    factor.assign(np.full(factor.shape, 1e-3))
    net.fit(IMAGES, LABELS, epochs=2, verbose=0)
    assert np.min(factor) >= 1e-3 * (1 - 1e-6)


def test_saves_loads_and_trains_on(tmp_path: Path) -> None:
    net = compiled(elastic(distillation=te.Distillation(weight=0.25)))
    net.fit(IMAGES, LABELS, epochs=1, verbose=0)
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    assert loaded.names == net.names
    assert loaded.distillation == te.Distillation(weight=0.25)
    for name in net.names:
        assert np.array_equal(net.rung(name)(IMAGES), loaded.rung(name)(IMAGES))
    one, other = (model.train_on_batch(IMAGES, LABELS) for model in (net, loaded))
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_called_as_a_model_it_is_its_widest_rung() -> None:
    model = classifier()
    net = te.ElasticModel(model, te.ladder(model))
    np.testing.assert_allclose(net(IMAGES), model(IMAGES), atol=1e-5)


def test_an_unknown_rung_and_a_strange_ladder_are_refused() -> None:
    net = elastic()
    for ask in (net.rung, net.cut):
        with pytest.raises(PlanError, match="no rung 'w075'; its rungs are w100, w050"):
            ask("w075")
    with pytest.raises(PlanError, match="the plan was made for a model of fingerprint"):
        te.ElasticModel(classifier(norm=False), te.ladder(classifier()))
