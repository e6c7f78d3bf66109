"""Paired differences, checked against what happens when the test images are drawn anew."""

import numpy as np
import pytest

from pipelines.stages.paired import PairedDifference


def test_points_are_the_difference_of_the_accuracies() -> None:
    random = np.random.default_rng(0)
    first, second = random.random(500) < 0.8, random.random(500) < 0.7
    pair = PairedDifference.of(first, second)
    assert pair.points == pytest.approx(100 * (first.mean() - second.mean()))
    assert PairedDifference.from_json(pair.to_json()) == pair


def test_the_interval_covers_what_drawing_the_images_anew_gives() -> None:
    random = np.random.default_rng(1)
    # Two nets that agree on most images, as nets trained on the same data do.
    easy = random.random(2000) < 0.7
    first, second = easy | (random.random(2000) < 0.3), easy | (random.random(2000) < 0.25)
    low, high = PairedDifference.of(first, second).interval
    draws = random.integers(0, 2000, (4000, 2000))
    points = 100 * (first[draws].mean(axis=1) - second[draws].mean(axis=1))
    assert (low, high) == pytest.approx(tuple(np.quantile(points, [0.025, 0.975])), abs=0.15)


def test_a_net_paired_with_itself_differs_by_nothing() -> None:
    found = np.array([True, False, True])
    pair = PairedDifference.of(found, found)
    assert pair.points == 0
    assert pair.interval == (0, 0)
