import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tflite_export.errors import CalibrationError
from tflite_export.keras_models import Port, Signature
from tflite_export.quantize.calibration import (
    cover_raw_range,
    representative,
    takes_images,
    with_headroom,
)

SHAPE = (4, 4, 1)


def _drawn(samples, **options):
    (drawn,) = representative([samples], images=[True], **options)
    return drawn


pixels = arrays(np.uint8, st.tuples(st.integers(1, 5), *map(st.just, SHAPE)))


@given(pixels)
def test_the_range_is_exactly_0_to_255_and_at_most_two_values_changed(samples):
    before = samples.copy()
    covered = cover_raw_range(samples)
    assert covered.dtype == np.float32
    assert (covered.min(), covered.max()) == (0, 255)
    assert (covered != before).sum() <= 2
    np.testing.assert_array_equal(samples, before)


@given(pixels)
def test_no_two_other_values_could_have_changed_less(samples):
    change = np.abs(cover_raw_range(samples) - samples).sum()
    assert change == int(samples.min()) + 255 - int(samples.max())


def test_a_draw_has_no_repetition_and_follows_the_seed():
    samples = np.arange(1, 101, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, *SHAPE), np.uint8
    )
    first = _drawn(samples, count=10, seed=1)
    again = _drawn(samples, count=10, seed=1)
    other = _drawn(samples, count=10, seed=2)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    # Each sample is one grey; only its first value may have been set to 0 or 255.
    assert len(np.unique(first[:, 1, 1, 0])) == 10


def test_a_small_set_is_used_whole():
    samples = np.full((3, *SHAPE), 9, np.uint8)
    assert len(_drawn(samples, count=10)) == 3


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        (np.random.default_rng(0).random((2, *SHAPE)), "Rescaling"),
        (np.full((2, *SHAPE), -1.0), "raw pixels"),
        (np.full((2, *SHAPE), 300.0), "raw pixels"),
        (np.full((2, *SHAPE), np.nan), "raw pixels"),
        (np.zeros((2, *SHAPE), np.int64), "int64"),
    ],
)
def test_unfit_samples_are_refused(samples, told):
    with pytest.raises(CalibrationError, match=told):
        _drawn(samples)


def test_real_values_are_taken_as_they_are_and_must_be_finite():
    values = np.random.default_rng(0).normal(size=(4, 7))
    (drawn,) = representative([values], images=[False])
    np.testing.assert_array_equal(drawn, values.astype(np.float32))
    values[1, 2] = np.inf
    with pytest.raises(CalibrationError, match="infinity"):
        representative([values], images=[False])


@pytest.mark.parametrize(
    ("shape", "samples", "image"),
    [
        ((4, 4, 3), np.full((2, 4, 4, 3), 9, np.uint8), True),
        ((4, 4, 3), np.full((2, 4, 4, 3), 9.0), True),
        ((4, 4, 3), np.full((2, 4, 4, 3), 9.5), False),
        ((4, 4, 3), np.full((2, 4, 4, 3), 9, np.int64), True),
        ((4, 4, 3), np.full((2, 4, 4, 3), 0.5), False),
        ((4, 4, 3), np.full((2, 4, 4, 3), -3.0), False),
        ((4, 4, 8), np.full((2, 4, 4, 8), 9, np.uint8), False),
        ((16, 3), np.full((2, 16, 3), 9, np.uint8), False),
    ],
)
def test_pixels_are_told_from_values_by_shape_range_and_whole_numbers(shape, samples, image):
    port = Port("input", shape, "float32")
    assert takes_images(Signature("net", (port,), (port,)), [samples]) == (image,)


def test_floats_that_meet_a_rescaling_from_pixels_are_pixels():
    port = Port("input", (4, 4, 3), "float32", scales_pixels=True)
    signature = Signature("net", (port,), (port,))
    assert takes_images(signature, [np.full((2, 4, 4, 3), 9.5)]) == (True,)
    assert takes_images(signature, [np.full((2, 4, 4, 3), -9.5)]) == (False,)


@pytest.mark.parametrize("samples", [None, [np.full((2, 4, 4, 3), 9.5), np.zeros((2, 7))]])
def test_what_the_user_says_of_pixels_counts(samples):
    ports = (Port("picture", (4, 4, 3), "float32"), Port("facts", (7,), "float32"))
    signature = Signature("net", ports, ports)
    assert takes_images(signature, samples, raw_pixels=True) == (True, False)
    assert takes_images(signature, samples, raw_pixels=False) == (False, False)


@pytest.mark.parametrize(
    ("layer", "scales"),
    [
        (keras.layers.Rescaling(1 / 255), True),
        (keras.layers.Rescaling(1 / 127.5, offset=-1), True),
        (keras.layers.Rescaling([1 / 255] * 3), True),
        (keras.layers.Rescaling(0.5), False),
        (keras.layers.ReLU(), False),
    ],
)
def test_a_signature_knows_a_rescaling_from_pixels(layer, scales):
    image, other = keras.Input((4, 4, 3)), keras.Input((4, 4, 3))
    model = keras.Model([image, other], keras.layers.Add()([layer(image), other]))
    assert [port.scales_pixels for port in Signature.of(model).inputs] == [scales, False]


def test_headroom_adds_larger_values_but_no_other_indices():
    values, indices = np.array([[1.0], [-3.0]], np.float32), np.array([[4], [7]], np.float32)
    ports = [Port("values", (1,), "float32"), Port("words", (1,), "int32")]
    found = with_headroom([values, indices], 2.0, ports=ports)
    np.testing.assert_array_equal(found[0][:, 0], [1, -3, 2, -6])
    np.testing.assert_array_equal(found[1][:, 0], [4, 7, 4, 7])
    assert with_headroom([values], 1.0, ports=ports[:1])[0] is values
