from dataclasses import replace

import numpy as np
import pytest

import tfelastic as te
from tflite_export.errors import VerificationError
from tflite_export.quantize.scheme import Tolerance
from tflite_export.scoring import paired_loss, resampled_loss


def test_the_interval_is_that_of_agresti_and_min():
    # 15 right before alone, 3 after alone, of 60: worked by hand from the formula of their paper (2005).
    before, after = np.ones(60), np.ones(60)
    after[:15], before[15:18] = 0, 0
    loss = paired_loss(before, after)
    half = 1.96 * np.sqrt(15.5 + 3.5 - 12**2 / 62) / 62
    assert loss.mean == pytest.approx(0.2)
    assert (loss.low, loss.high) == pytest.approx((12 / 62 - half, 12 / 62 + half))


def test_two_answers_of_120_are_no_proof_of_a_loss_and_forty_of_2400_are():
    few, many = (
        np.r_[np.zeros(lost), np.ones(count - lost)] for lost, count in ((2, 120), (40, 2400))
    )
    assert paired_loss(np.ones(120), few).low < 0.01 < paired_loss(np.ones(120), few).high
    assert paired_loss(np.ones(2400), many).low > 0.01


def test_the_interval_of_values_is_students_and_of_any_unit():
    # Worked by hand: differences 1, 2, 3, 6 have mean 3 and standard deviation 2.160; t(0.975; 3) = 3.182.
    before = np.zeros(4)
    after = -np.array([1.0, 2.0, 3.0, 6.0])
    for size in (1.0, 1e-6):
        loss = paired_loss(size * before, size * after, shares=False)
        half = 3.182 * (14 / 3) ** 0.5 / 2
        assert loss.mean == pytest.approx(3 * size)
        assert loss.high - loss.mean == pytest.approx(size * half, rel=0.01)
        assert loss.mean - loss.low == pytest.approx(size * half, rel=0.01)


def test_an_additive_score_is_drawn_from_the_sums_of_single_samples():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, (40, 5))
    before, after = rng.normal(size=(2, 40, 5, 3))
    metric = te.metrics.MeanIoU()
    loss = resampled_loss(metric, truth, before, after)
    drawn, again = [], np.random.default_rng(0)
    for _ in range(200):
        rows = again.integers(0, 40, 40)
        drawn.append(
            metric.value(truth[rows], before[rows]) - metric.value(truth[rows], after[rows])
        )
    assert (loss.low, loss.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


def test_a_score_that_most_draws_do_not_define_is_refused():
    truth = np.array([[1.0], [1.0], [1.0], [1.0], [1.0], [1.0], [2.0]])
    with pytest.raises(VerificationError, match="r2 is not defined on most draws of the 2 samples"):
        resampled_loss(te.metrics.R2(), truth[-2:, :1] * [1.0], truth[-2:] + 1, truth[-2:])


def test_any_score_has_an_interval_that_holds_its_loss():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    before, after = truth + rng.normal(0, 0.1, 200), truth + rng.normal(0, 0.3, 200)
    error = te.metrics.MeanAbsoluteError()
    loss = resampled_loss(error, truth, before, after)
    assert loss.mean == pytest.approx(np.abs(after - truth).mean() - np.abs(before - truth).mean())
    assert 0 < loss.low < loss.mean < loss.high


def test_the_bound_on_a_share_may_be_given_as_a_drop_of_accuracy():
    bounds = {"mean_difference": 1, "max_difference": 1, "top1_agreement": 1}
    tolerance = Tolerance(**bounds, accuracy_drop=0.25)
    assert tolerance == Tolerance(**bounds, score_loss=0.25)
    assert replace(tolerance, max_difference=2).score_loss == 0.25
    assert Tolerance.from_json(tolerance.to_json()) == tolerance
