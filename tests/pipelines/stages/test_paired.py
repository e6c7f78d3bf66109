"""Paired differences, checked against what happens when the test examples are drawn anew."""

import json
import math

import numpy as np
import pytest

import tfelastic as te
from pipelines.errors import StageError
from pipelines.stages.answers import Answers
from pipelines.stages.paired import PairedDifference, _t_quantile


def right(found: np.ndarray) -> Answers:
    return Answers(te.metrics.ClassAccuracy(), {"right": found})


def two_nets(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which examples two nets get right that agree on most, as nets trained on the same data do."""
    random = np.random.default_rng(1)
    easy = random.random(count) < 0.7
    return easy | (random.random(count) < 0.3), easy | (random.random(count) < 0.25)


def test_the_difference_is_that_of_the_scores() -> None:
    random = np.random.default_rng(0)
    first, second = right(random.random(500) < 0.8), right(random.random(500) < 0.7)
    pair = PairedDifference.of(first, second)
    assert pair.difference == pytest.approx(first.score - second.score)
    assert PairedDifference.from_json(json.loads(json.dumps(pair.to_json()))) == pair


def test_the_interval_of_right_answers_covers_what_drawing_the_examples_anew_gives() -> None:
    first, second = two_nets(2000)
    pair = PairedDifference.of(right(first), right(second))
    draws = np.random.default_rng(2).integers(0, 2000, (4000, 2000))
    drawn = first[draws].mean(axis=1) - second[draws].mean(axis=1)
    assert (pair.low, pair.high) == pytest.approx(
        tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.0015
    )
    assert pair.interval == "wald"


def test_the_interval_of_a_mean_holds_the_truth_as_often_as_it_says() -> None:
    random, held, tries, truth = np.random.default_rng(3), 0, 2000, 0.1
    metric = te.metrics.MeanAbsoluteError()
    for _ in range(tries):
        second = random.exponential(1, 12)
        values = (second + random.normal(truth, 0.5, 12), second)
        pair = PairedDifference.of(*(Answers(metric, {"values": each}) for each in values))
        held += pair.low <= truth <= pair.high
    assert pair.interval == "t"
    assert abs(held / tries - 0.95) < 3 * math.sqrt(0.95 * 0.05 / tries)


def test_students_quantile_is_that_of_the_tables() -> None:
    tables = {5: 2.571, 10: 2.228, 30: 2.042, 120: 1.980}
    assert {n: round(_t_quantile(n), 3) for n in tables} == pytest.approx(tables, abs=0.004)


def test_a_score_that_is_no_mean_is_resampled() -> None:
    random = np.random.default_rng(4)
    labels = random.integers(0, 3, (60, 6, 6))
    metric = te.metrics.MeanIoU()

    def net(share_wrong: float) -> np.ndarray:
        chosen = np.where(random.random(labels.shape) < share_wrong, (labels + 1) % 3, labels)
        return np.eye(3)[chosen]

    first, second = net(0.1), net(0.3)
    answers = [Answers.of(metric, labels, outputs) for outputs in (first, second)]
    pair = PairedDifference.of(*answers)
    assert pair.interval == "bootstrap"
    scores = [metric.value(labels, outputs) for outputs in (first, second)]
    assert [each.score for each in answers] == pytest.approx(scores)
    assert pair.difference == pytest.approx(scores[0] - scores[1])
    drawn = []
    for _ in range(1000):
        rows = random.integers(0, 60, 60)
        values = [metric.value(labels[rows], outputs[rows]) for outputs in (first, second)]
        drawn.append(values[0] - values[1])
    expected = tuple(np.quantile(drawn, [0.025, 0.975]))
    assert (pair.low, pair.high) == pytest.approx(expected, abs=0.01)


def test_any_other_metric_is_resampled_from_outputs_and_labels() -> None:
    random = np.random.default_rng(5)
    labels = random.normal(size=(80, 1))
    outputs = [labels + random.normal(0, spread, labels.shape) for spread in (0.1, 0.5)]
    metric = te.metrics.R2()
    first, second = (Answers.of(metric, labels, each) for each in outputs)
    assert first.score == pytest.approx(metric.value(labels, outputs[0]))
    pair = PairedDifference.of(first, second)
    assert 0 < pair.low < pair.difference < pair.high


def test_answers_of_parts_are_those_of_the_examples_together() -> None:
    labels = {"kind": np.arange(10) % 2, "size": np.arange(10.0)[:, np.newaxis]}
    outputs = {"kind": np.eye(2)[np.ones(10, int)], "size": np.full((10, 1), 3.0)}
    parts = {
        "kind": te.metrics.OutputMetric(te.metrics.ClassAccuracy(), 0.5),
        "size": te.metrics.OutputMetric(te.metrics.R2(), 0.5),
    }
    metric = te.metrics.WeightedSum(parts, ("kind", "size"))

    def part(arrays: dict[str, np.ndarray], rows: slice) -> dict[str, np.ndarray]:
        return {name: array[rows] for name, array in arrays.items()}

    halves = [slice(0, 5), slice(5, 10)]
    joined = Answers.joined([Answers.of(metric, part(labels, r), part(outputs, r)) for r in halves])
    assert joined.score == pytest.approx(metric.value(labels, outputs))
    listed = Answers.of(metric, labels, list(outputs.values()))
    assert listed.score == joined.score


def test_a_net_paired_with_itself_differs_by_nothing() -> None:
    found = right(np.array([True, False, True]))
    pair = PairedDifference.of(found, found)
    assert (pair.difference, pair.low, pair.high) == (0, 0, 0)


def test_one_example_compares_nothing() -> None:
    with pytest.raises(StageError, match="two test examples"):
        PairedDifference.of(right(np.array([True])), right(np.array([False])))
