import numpy as np
import pytest

from tflite_export.errors import ConversionError
from tflite_export.runtimes import LiteModel, predict


def test_an_int8_input_takes_every_raw_pixel_minus_128(converted):
    pixels = np.arange(256, dtype=np.uint8)
    encoded = LiteModel(converted("residual")).encode([pixels])[0]
    assert encoded.dtype == np.int8
    np.testing.assert_array_equal(encoded, np.arange(-128, 128))


def test_threads_neither_change_nor_reorder_the_outputs(converted, images):
    tflite = converted("residual", "float32")
    one = predict(tflite, images[:23], threads=1)
    np.testing.assert_array_equal(predict(tflite, images[:23], threads=4), one)
    alone = LiteModel(tflite).outputs([images[20:21]])[0]
    np.testing.assert_array_equal(alone[0], one[20])


def test_bytes_that_litert_cannot_open_are_a_conversion_error(converted):
    with pytest.raises(ConversionError, match="LiteRT cannot open"):
        LiteModel(converted("residual")[:200])
