"""A training that diverges ends at once, with what to try."""

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te


def model(rate: object) -> keras.Model:
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input((4,)), layers.Dense(8), layers.Dense(1)])
    net.compile(keras.optimizers.SGD(rate), "mse")
    return net


DATA = np.random.default_rng(0).normal(size=(32, 4)).astype("float32"), np.ones(32)


@pytest.mark.parametrize(
    "rate", [1e3, keras.optimizers.schedules.ExponentialDecay(1e3, 1000, 0.999)]
)
def test_the_error_names_epoch_and_learning_rate(rate: object) -> None:
    diverging = model(rate)
    saved = []
    keep = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: saved.append(epoch))
    with pytest.raises(
        te.errors.TrainingError,
        match=r"loss is (nan|inf) in epoch \d+ at a learning rate of (1e\+03|9\d\d|1\.0+e\+03)",
    ) as caught:
        diverging.fit(*DATA, batch_size=8, epochs=50, verbose=0, callbacks=[te.StopAtNaN(), keep])
    assert "a tenth of the learning rate" in str(caught.value)
    steps = int(diverging.optimizer.iterations.numpy())
    assert 4 * len(saved) < steps <= 4 * (len(saved) + 1), "it ends within the epoch"


def test_the_validation_loss_counts_as_well() -> None:
    images = DATA[0]
    with pytest.raises(te.errors.TrainingError, match="the val_loss is nan in epoch 1"):
        model(0.01).fit(
            *DATA,
            validation_data=(images, np.full(32, np.nan)),
            verbose=0,
            callbacks=[te.StopAtNaN()],
        )


def test_a_sound_training_goes_on() -> None:
    history = model(0.01).fit(*DATA, epochs=3, verbose=0, callbacks=[te.StopAtNaN()]).history
    assert len(history["loss"]) == 3
