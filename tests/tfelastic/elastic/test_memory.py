"""Views share the weights: no second copy in memory, and no second tracing."""

import gc

import keras
import numpy as np
from keras import layers

import tfelastic as te
from tfelastic.elastic.view import RungView


def held_bytes() -> int:
    """Return the bytes of all Keras variables that hold a value."""
    gc.collect()
    variables = [each for each in gc.get_objects() if isinstance(each, keras.Variable)]
    return sum(int(np.prod(v.shape)) * 4 for v in variables if v._value is not None)


def model() -> keras.Model:
    inputs = keras.Input((6, 6, 1))
    x = layers.Conv2D(32, 3, use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(0.1)(layers.Conv2D(64, 3, padding="same")(x))
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


def test_a_rung_holds_its_own_weights_and_nothing_else() -> None:
    whole = model()
    ladder = te.ladder(whole)
    before = held_bytes()
    net = te.ElasticModel(whole, ladder)
    listed = sum(int(np.prod(v.shape)) * 4 for v in net.variables)
    assert held_bytes() - before == listed
    images = np.zeros((4, 6, 6, 1), "float32")
    net.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    net.fit(images, np.zeros(4), verbose=0)
    for name in net.names:
        net.rung(name)(images)
        net.rung(name).predict(images, verbose=0)
    # Keras fills variables without values in when a scope ends; these stay empty.
    layers.Dense(2)(images[0, 0])
    with keras.StatelessScope():
        pass
    structures = [view.structure.model for view in net.narrow]
    assert all(v._value is None for each in structures for v in each.variables)


def test_switching_widths_traces_each_rung_once(monkeypatch) -> None:
    whole = model()
    net = te.ElasticModel(whole, te.ladder(whole))
    images = np.zeros((4, 6, 6, 1), "float32")
    traced: list[str] = []
    call = RungView.call

    def counting(self: RungView, inputs: object, training: bool | None = None) -> object:
        traced.append(self.name)
        return call(self, inputs, training)

    monkeypatch.setattr(RungView, "call", counting)
    for _ in range(2):
        for name in net.names[1:]:
            net.rung(name).predict(images, verbose=0)
    first = list(traced)
    for name in (*net.names[1:], *reversed(net.names[1:])):
        net.rung(name).predict(images, verbose=0)
    assert set(first) == set(net.names[1:])
    assert traced == first
