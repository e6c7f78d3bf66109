import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import example, given
from hypothesis import strategies as st

from tflite_export._profile.stopping import StoppingRule, median_interval, relative_half_width
from tflite_export.errors import ProfileError


@example(5000)
@given(st.integers(6, 400))
def test_the_interval_has_the_ranks_of_the_binomial_distribution(count):
    low, high = median_interval(range(1, count + 1))
    assert low + high == count + 1
    outside = scipy.stats.binom.cdf(low - 1, count, 0.5)
    assert outside <= 0.025 < scipy.stats.binom.cdf(low, count, 0.5)


def test_the_interval_holds_the_median_of_a_skewed_distribution():
    rng = np.random.default_rng(0)
    samples = np.sort(rng.lognormal(3, 1, (2000, 40)), axis=1)
    intervals = [median_interval(row) for row in samples]
    covered = np.mean([low <= math.exp(3) <= high for low, high in intervals])
    assert 0.95 <= covered < 0.99


def test_too_few_observations_have_no_interval():
    assert median_interval([1, 2, 3, 4, 5]) is None
    assert relative_half_width([1, 2]) is None


def test_the_half_width_is_a_share_of_the_median():
    assert relative_half_width([100] * 9 + [1]) == 0
    assert relative_half_width([90, 96, 99, 100, 101, 102, 108]) == pytest.approx(0.10)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"half_width": 0}, "half_width"),
        ({"half_width": 2}, "half_width"),
        ({"min_runs": 0}, "runs must be at least 1"),
        ({"limit_s": 0}, "limit_s"),
        ({"limit_s": math.nan}, "limit_s"),
    ],
)
def test_rules_that_cannot_hold_are_refused(options, expected):
    with pytest.raises(ProfileError, match=expected):
        StoppingRule(**options)
