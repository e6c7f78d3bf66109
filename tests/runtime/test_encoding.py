"""Quantization by SPEC.md, section 3: against exact arithmetic, and without an array per call."""

import math
import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tfelastic_runtime import InputError, InputSpec, TensorSpec
from tfelastic_runtime.encoding import Encoder, decode

from tests.support.bundles import tensors

TENSORS = tensors(1).map(lambda found: found[0])
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def nearest_float32(exact: Fraction) -> Fraction | float:
    """Round an exact number to single precision, ties to even, without any float arithmetic."""
    if exact == 0:
        return exact
    magnitude = abs(exact)
    power = math.floor(math.log2(magnitude.numerator) - math.log2(magnitude.denominator))
    while magnitude >= Fraction(2) ** (power + 1):
        power += 1
    while magnitude < Fraction(2) ** power:
        power -= 1
    step = Fraction(2) ** (max(power, -126) - 23)
    rounded = round(exact / step) * step
    return math.copysign(math.inf, exact) if abs(rounded) >= Fraction(2) ** 128 else rounded


def quantized(value: float, tensor: TensorSpec) -> int:
    limits = np.iinfo(tensor.dtype)
    quotient = nearest_float32(Fraction(value) / Fraction(tensor.scale))
    if isinstance(quotient, float):
        return int(limits.max if quotient > 0 else limits.min)
    return min(max(round(quotient) + tensor.zero_point, int(limits.min)), int(limits.max))


@settings(deadline=None)
@given(TENSORS, st.data())
def test_values_are_quantized_as_exact_arithmetic_says(
    tensor: TensorSpec, data: st.DataObject
) -> None:
    largest = float(np.finfo(np.float32).max)
    near = st.integers(-300, 300).map(lambda n: min(max(n / 2 * tensor.scale, -largest), largest))
    values = data.draw(st.lists(FLOATS | near, min_size=1, max_size=8))
    given_values = np.array(values, np.float32)
    stored = Encoder(InputSpec("x", (1, len(values))), tensor).encode(given_values)
    if tensor.dtype == "float32":
        assert stored.tobytes() == given_values.tobytes()
    else:
        assert stored[0].tolist() == [quantized(float(x), tensor) for x in given_values]


@given(TENSORS)
def test_pixels_are_quantized_as_values_of_their_number(tensor: TensorSpec) -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 4, 4)
    image = Encoder(InputSpec("x", (1, 16, 4, 4), "image"), tensor).encode(pixels)
    values = Encoder(InputSpec("x", (1, 16, 4, 4)), tensor).encode(pixels.astype(np.float32))
    assert image.tobytes() == values.tobytes()


@given(TENSORS, st.data())
def test_stored_numbers_are_decoded_as_exact_arithmetic_says(
    tensor: TensorSpec, data: st.DataObject
) -> None:
    if tensor.dtype == "float32":
        values = data.draw(st.lists(st.floats(width=32), min_size=1, max_size=8))
        stored = np.array([values], np.float32)
        assert decode(stored, tensor).tobytes() == stored.tobytes()
        return
    limits = np.iinfo(tensor.dtype)
    integers = st.integers(int(limits.min), int(limits.max))
    stored = np.array([data.draw(st.lists(integers, min_size=1, max_size=8))], tensor.dtype)
    for found, q in zip(decode(stored, tensor).tolist(), stored[0].tolist(), strict=True):
        difference = nearest_float32(Fraction(q))
        assert isinstance(difference, Fraction)
        difference = nearest_float32(difference - tensor.zero_point)
        assert isinstance(difference, Fraction)
        exact = nearest_float32(difference * Fraction(tensor.scale))
        assert found == (exact if isinstance(exact, float) else float(exact))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_floating_point_becomes_float32_first(dtype: type) -> None:
    encoder = Encoder(InputSpec("x", (1, 2)), TensorSpec(0, "float32", 1.0, 0))
    given_values = np.array([1 / 3, -2.5], dtype)
    assert encoder.encode(given_values)[0].tolist() == given_values.astype(np.float32).tolist()


@pytest.mark.parametrize("shape", [(1,), (1, 1), (1, 2, 3, 1, 2)])
def test_any_rank_goes_there_and_back(shape: tuple[int, ...]) -> None:
    tensor = TensorSpec(0, "int16", 0.25, 0)
    given_values = np.arange(math.prod(shape), dtype=np.float32).reshape(shape[1:])
    stored = Encoder(InputSpec("x", shape), tensor).encode(given_values)
    assert stored.shape == shape
    real = decode(stored, tensor)
    assert isinstance(real, np.ndarray)
    assert real.shape == shape[1:]
    assert np.array_equal(real, given_values)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            np.zeros(3, np.float32),
            r"a float32 array of shape \[2\].*received float32 of shape \[3\]",
        ),
        (np.zeros((1, 2), np.float32), r"without a batch axis, received float32 of shape \[1, 2\]"),
        (np.zeros(2, np.int64), r"received int64 of shape \[2\]"),
        (np.zeros(2, np.complex64), "received complex64"),
        ([0.0, 1.0], "received a list"),
        (np.array([0.0, np.nan]), r"finite in float32, received nan at \[1\]"),
        (np.array([-np.inf, 0.0]), r"finite in float32, received -inf at \[0\]"),
        (np.array([0.0, 1e39]), r"finite in float32, received inf at \[1\]"),
    ],
)
def test_wrong_values_are_named(value: Any, said: str) -> None:
    encoder = Encoder(InputSpec("wind", (1, 2)), TensorSpec(0, "int8", 0.5, 0))
    with pytest.raises(InputError, match=f"input 'wind': expected .*{said}"):
        encoder.encode(value)


@pytest.mark.parametrize("kind", ["image", "values"])
@pytest.mark.parametrize("tensor", [("int8", 0.5, 3), ("uint8", 1.0, 0), ("int16", 0.5, 0)])
def test_encoding_allocates_no_array(kind: str, tensor: tuple[str, float, int]) -> None:
    spec = InputSpec("x", (1, 100, 100, 3), kind)
    encoder = Encoder(spec, TensorSpec(0, *tensor))
    value = np.ones(spec.shape[1:], np.uint8 if kind == "image" else np.float64)
    encoder.encode(value)
    tracemalloc.start()
    try:
        encoder.encode(value)
        assert tracemalloc.get_traced_memory()[1] < 4_000
    finally:
        tracemalloc.stop()
