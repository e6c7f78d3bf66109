import numpy as np
import pytest

import tfelastic as te
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


def test_any_score_has_an_interval_that_holds_its_loss():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    before, after = truth + rng.normal(0, 0.1, 200), truth + rng.normal(0, 0.3, 200)
    error = te.metrics.MeanAbsoluteError()
    loss = resampled_loss(error, truth, before, after)
    assert loss.mean == pytest.approx(np.abs(after - truth).mean() - np.abs(before - truth).mean())
    assert 0 < loss.low < loss.mean < loss.high
