"""Factors that folding left: found to the last bit, or not used at all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_export.bundle.channel_factors import find_channel_factors

TINY = np.finfo(np.float32).tiny


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 40), st.floats(-20, 20))
def test_every_product_comes_out(seed: int, channels: int, elements: int, power: float) -> None:
    rng = np.random.default_rng(seed)
    unfolded = rng.normal(0, 1, (channels, elements)).astype(np.float32)
    unfolded[rng.random(unfolded.shape) < 0.2] = 0
    meant = (rng.uniform(-2, 2, channels) * 2.0**power).astype(np.float32)
    folded = unfolded * meant[:, None]
    factors, exact = find_channel_factors(folded, unfolded)
    assert exact.all()
    assert (unfolded * factors[:, None]).tobytes() == folded.tobytes()


def test_a_channel_that_is_no_multiple_is_told_apart() -> None:
    rng = np.random.default_rng(0)
    unfolded = rng.normal(0, 1, (3, 50)).astype(np.float32)
    folded = unfolded * np.float32(0.7)
    folded[1, 17] = np.nextafter(folded[1, 17], np.float32(9))
    factors, exact = find_channel_factors(folded, unfolded)
    assert exact.tolist() == [True, False, True]
    assert (factors[[0, 2], None] * unfolded[[0, 2]] == folded[[0, 2]]).all()


@pytest.mark.parametrize(
    ("unfolded", "factor"),
    [(1.5, TINY / 8), (TINY / 4, 2.0), (3.0, np.inf), (np.nan, 1.0), (1e30, 1e30)],
)
def test_what_devices_do_not_agree_on_is_refused(unfolded: float, factor: float) -> None:
    """Subnormals, which some flush to zero, infinities and NaNs."""
    kernel = np.full((1, 4), unfolded, np.float32)
    with np.errstate(all="ignore"):
        folded = kernel * np.float32(factor)
    assert not find_channel_factors(folded, kernel)[1].any()


def test_a_channel_of_zeros_takes_any_factor() -> None:
    kernel = np.array([[1, -2, 3]], np.float32)
    zeros = np.zeros((1, 3), np.float32)
    for folded, unfolded in ((zeros, zeros), (np.float32(0) * kernel, kernel)):
        factors, exact = find_channel_factors(folded, unfolded)
        assert exact.all()
        assert (unfolded * factors[:, None]).tobytes() == folded.tobytes()
