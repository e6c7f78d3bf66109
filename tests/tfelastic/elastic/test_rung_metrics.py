"""`RungMetrics`: every rung's figures after every epoch, and nothing of the network changed by looking."""

import keras
import numpy as np
from keras import layers

import tfelastic as te

IMAGES = np.random.default_rng(0).normal(size=(32, 6)).astype("float32")
LABELS = (IMAGES.mean(axis=1) > 0).astype("int32")
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def original() -> keras.Model:
    keras.utils.set_random_seed(0)
    hidden = layers.Dense(8, kernel_regularizer="l2")
    model = keras.Sequential(
        [keras.Input((6,)), hidden, layers.BatchNormalization(), layers.ReLU()]
    )
    model.add(layers.Dense(2))
    model.compile(keras.optimizers.Adam(0.05), LOSS, run_eagerly=True)
    return model


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return IMAGES[16 * index :][:16], LABELS[16 * index :][:16]


def accuracy(model: keras.Model) -> float:
    return float(np.mean(np.argmax(model(IMAGES), axis=-1) == LABELS))


def trained(*callbacks: keras.callbacks.Callback) -> tuple[te.ElasticModel, dict[str, list[float]]]:
    model = original()
    net = te.ElasticModel(model, te.ladder(model, widths=(1.0, 0.5)))
    net.compile(keras.optimizers.Adam(0.05), LOSS, jit_compile=False)
    history = net.fit(Batches(), shuffle=False, epochs=3, verbose=0, callbacks=list(callbacks))
    return net, history.history


def test_every_rungs_figures_are_in_the_history() -> None:
    whole = keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="entropy")
    net, history = trained(te.RungMetrics(Batches(), metrics=["accuracy", whole]))
    assert list(history) == [
        "loss",
        *(f"{rung}_{what}" for rung in ("w100", "w050") for what in ("accuracy", "entropy")),
    ]
    for name in net.names:
        assert len(history[f"{name}_accuracy"]) == 3
        assert history[f"{name}_accuracy"][-1] == np.float32(accuracy(net.rung(name)))
        entropy = float(LOSS(LABELS, net.rung(name)(IMAGES)))
        np.testing.assert_allclose(history[f"{name}_entropy"][-1], entropy, rtol=1e-5)
    assert history["w100_accuracy"] != history["w050_accuracy"]


def test_looking_changes_nothing() -> None:
    watched, _ = trained(te.RungMetrics((IMAGES, LABELS)))
    alone, _ = trained()
    for one, other in zip(watched.get_weights(), alone.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_callbacks_that_come_later_see_the_figures() -> None:
    best = keras.callbacks.EarlyStopping("w050_accuracy", mode="max", patience=0)
    _, history = trained(te.RungMetrics((IMAGES[:1], 1 - LABELS[:1])), best)
    assert best.stopped_epoch or len(history["loss"]) == 3
    assert best.best == max(history["w050_accuracy"])


def test_early_stopping_restores_every_rung_at_the_best_epoch() -> None:
    kept: list[list[np.ndarray]] = []
    best = keras.callbacks.EarlyStopping("w050_accuracy", mode="max", restore_best_weights=True)
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.append(note.model.get_weights())
    )
    net, history = trained(te.RungMetrics((IMAGES[:1], 1 - LABELS[:1])), note, best)
    epoch = int(np.argmax(history["w050_accuracy"]))
    assert epoch < len(kept) - 1
    for one, other in zip(net.get_weights(), kept[epoch], strict=True):
        assert np.array_equal(one, other)


def test_growing_reports_the_level_in_training() -> None:
    model = original()
    net = te.prune_and_grow(
        model,
        (IMAGES, LABELS),
        ladder=te.ladder(model, widths=(1.0, 0.5)),
        training=te.LevelTraining(epochs=2, callbacks=[te.RungMetrics((IMAGES, LABELS))]),
    )
    core, whole = net.growth.levels
    assert [set(figures) for figures in core.history] == [{"loss", "w050_accuracy"}] * 2
    assert [set(figures) for figures in whole.history] == [{"loss", "w100_accuracy"}] * 2
