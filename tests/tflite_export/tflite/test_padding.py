"""Which padding layers become part of the convolutions behind them, against converted files."""

from collections.abc import Callable

import keras
import pytest

import tfelastic as te
import tflite_export as tx
from tests.support.weights import randomize
from tfelastic._cost import lower
from tfelastic._plan import Selection
from tflite_export.tflite import read_graph

layers = keras.layers


def _pad(*sides: int) -> keras.Layer:
    return layers.ZeroPadding2D(((sides[0], sides[1]),) * 2)


def _shared(one: keras.Layer, other: keras.Layer) -> Callable[[keras.KerasTensor], list]:
    def build(x: keras.KerasTensor) -> list:
        padded = _pad(1, 1)(x)
        return [one(padded), other(padded)]

    return build


# How it is built, the rows of the image, and whether a PAD stays.
NETS = {
    "strided, the odd zero at the end": (lambda x: layers.Conv2D(4, 3, strides=2)(_pad(0, 1)(x)), 16, False),
    "strided, a zero on each side": (lambda x: layers.Conv2D(4, 3, strides=2)(_pad(1, 1)(x)), 16, True),
    "strided, of odd rows": (lambda x: layers.Conv2D(4, 3, strides=2)(_pad(1, 1)(x)), 15, False),
    "dilated": (lambda x: layers.DepthwiseConv2D(3, dilation_rate=2)(_pad(2, 2)(x)), 16, False),
    "separable": (lambda x: layers.SeparableConv2D(4, 3, strides=2)(_pad(0, 1)(x)), 16, False),
    "grouped": (lambda x: layers.Conv2D(4, 3, groups=2)(_pad(1, 1)(x)), 16, False),
    "around one pixel": (lambda x: layers.Conv2D(4, 1)(_pad(1, 1)(x)), 16, True),
    "of nothing": (lambda x: layers.MaxPooling2D(2)(_pad(0, 0)(x)), 16, False),
    "before a pooling": (lambda x: layers.MaxPooling2D(3)(_pad(1, 1)(x)), 16, True),
    "before a padded convolution": (lambda x: layers.Conv2D(4, 3, padding="same")(_pad(1, 1)(x)), 16, True),
    "two convolutions": (_shared(layers.Conv2D(4, 3), layers.DepthwiseConv2D(3)), 16, False),
    "a convolution and a pooling": (_shared(layers.Conv2D(4, 3), layers.MaxPooling2D(2)), 16, True),
    "behind a factor": (
        lambda x: layers.Conv2D(4, 3)(_pad(1, 1)(layers.Rescaling(1 / 255)(x))), 16, False,
    ),
    "behind a shift": (
        lambda x: layers.Conv2D(4, 3)(_pad(1, 1)(layers.Rescaling(2.0, offset=-1.0)(x))), 16, False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_a_padding_goes_where_the_converter_lets_it_go(name: str) -> None:
    build, rows, stays = NETS[name]
    image = keras.Input((rows, rows, 8))
    model = randomize(keras.Model(image, build(image)), seed=0)
    graph = read_graph(tx.convert(model, scheme="float32"))
    found = [
        (each.name, [graph.tensors[n].elements for n in each.outputs]) for each in graph.operators
    ]
    lowered = lower(Selection(te.trace(model)))
    predicted = [(each.kind, [lowered.sizes[n] for n in each.makes]) for each in lowered.operations]
    assert sorted(predicted) == sorted(found)
    assert ("PAD" in dict(found)) == stays
