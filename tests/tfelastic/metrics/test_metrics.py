"""Metrics against scikit-learn, and shapes: what fits is scored alike in every form, what does not fit is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

import tfelastic as te
from tfelastic.errors import DataError
from tfelastic.metrics import (
    R2,
    BinaryAccuracy,
    ClassAccuracy,
    FunctionMetric,
    MeanAbsoluteError,
    MeanIoU,
    OutputMetric,
    WeightedSum,
)

CASES = settings(max_examples=40, deadline=None)


@st.composite
def classified(draw: st.DrawFn, positions: tuple[int, ...] | None = None):
    """Draw labels `[N, ...]` and class scores `[N, ..., C]`."""
    count, classes = draw(st.integers(2, 12)), draw(st.integers(2, 5))
    places = draw(st.sampled_from([(), (3,), (2, 3)])) if positions is None else positions
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = rng.integers(0, classes, (count, *places))
    return labels, rng.normal(size=(*labels.shape, classes)).astype(np.float32)


@st.composite
def valued(draw: st.DrawFn):
    """Draw labels and outputs `[N, values]`."""
    shape = draw(st.integers(2, 12)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1e-3, 1.0, 1e5]))
    return rng.normal(7, scale, shape), rng.normal(7, scale, shape).astype(np.float32)


@CASES
@given(classified())
def test_accuracy_is_the_oracle_s_in_every_form_of_labels(drawn) -> None:
    labels, scores = drawn
    accuracy = ClassAccuracy()
    expected = oracle.accuracy_score(labels.ravel(), scores.argmax(-1).ravel())
    for form in (
        labels,
        labels[..., None],
        labels.astype(np.float32),
        np.eye(scores.shape[-1])[labels],
    ):
        assert accuracy(form, scores).value == pytest.approx(expected)
    per_example = accuracy.per_example(labels, scores)
    assert per_example.shape == (len(labels),)
    assert per_example.mean() == pytest.approx(expected)
    if labels.ndim == 1:
        np.testing.assert_array_equal(accuracy.correct(labels, scores), scores.argmax(-1) == labels)
    else:
        assert accuracy.correct(labels, scores) is None


@CASES
@given(classified())
def test_mean_iou_is_the_oracle_s_over_the_classes_that_occur(drawn) -> None:
    labels, scores = drawn
    expected = oracle.jaccard_score(labels.ravel(), scores.argmax(-1).ravel(), average="macro")
    assert MeanIoU()(labels, scores).value == pytest.approx(expected)


@CASES
@given(classified((4, 4)), st.integers(0, 4))
def test_ignored_pixels_do_not_count(drawn, ignored: int) -> None:
    labels, scores = drawn
    kept = labels != ignored
    for metric, value in (
        (ClassAccuracy(ignore_class=ignored), oracle.accuracy_score),
        (MeanIoU(ignore_class=ignored), lambda a, b: oracle.jaccard_score(a, b, average="macro")),
    ):
        if kept.any():
            expected = value(labels[kept], scores.argmax(-1)[kept])
            assert metric(labels, scores).value == pytest.approx(expected)
        else:
            with pytest.raises(DataError, match="ignored class"):
                metric(labels, scores)
    void = np.where(labels == 0, 255, labels)
    assert 0 <= MeanIoU(ignore_class=255)(void, scores).value <= 1


@CASES
@given(
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.sampled_from([(7,), (7, 1), (3, 2, 1), (3, 2, 2, 1)]),
)
def test_one_unit_is_right_where_its_threshold_says_so(seed: int, logits: bool, shape) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape)
    outputs = values if logits else 1 / (1 + np.exp(-values))
    labels = rng.integers(0, 2, shape)
    chosen = (values > 0).astype(int)
    threshold = 0.0 if logits else 0.5
    accuracy, iou = ClassAccuracy(threshold=threshold), MeanIoU(threshold=threshold)
    expected = oracle.accuracy_score(labels.ravel(), chosen.ravel())
    overlap = oracle.jaccard_score(labels.ravel(), chosen.ravel(), average="macro")
    forms = [labels, labels * 2 - 1 if labels.any() and not labels.all() else labels]
    forms.append(labels[..., 0] if shape[-1] == 1 else labels)
    for form in forms:
        assert accuracy(form, outputs).value == pytest.approx(expected)
        assert iou(form, outputs).value == pytest.approx(overlap)
    with pytest.raises(DataError, match=r"threshold=0\.5 for a probability"):
        ClassAccuracy()(labels, outputs)


@CASES
@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(2, 5))
def test_several_labels_at_once_are_scored_by_the_hamming_loss(seed, count, labels) -> None:
    rng = np.random.default_rng(seed)
    right, outputs = rng.integers(0, 2, (count, labels)), rng.uniform(size=(count, labels))
    expected = 1 - oracle.hamming_loss(right, outputs > 0.5)
    metric = BinaryAccuracy()
    assert metric(right, outputs).value == pytest.approx(expected)
    assert metric.per_example(right, outputs).mean() == pytest.approx(expected)


@CASES
@given(valued())
def test_errors_of_values_are_the_oracle_s(drawn) -> None:
    labels, outputs = drawn
    mae = MeanAbsoluteError()
    assert mae(labels, outputs).value == pytest.approx(oracle.mean_absolute_error(labels, outputs))
    assert mae.per_example(labels, outputs).mean() == pytest.approx(mae(labels, outputs).value)
    assert R2()(labels, outputs).value == pytest.approx(oracle.r2_score(labels, outputs), abs=1e-9)
    if labels.shape[1] == 1:
        assert R2()(labels[:, 0], outputs) == R2()(labels, outputs) == R2()(labels, outputs[:, 0])


@CASES
@given(classified(), st.integers(0, 2**32 - 1))
def test_two_models_agree_where_they_choose_alike(drawn, seed: int) -> None:
    _, first = drawn
    second = np.random.default_rng(seed).normal(size=first.shape)
    same = (first.argmax(-1) == second.argmax(-1)).mean()
    for metric in (ClassAccuracy(), MeanIoU()):
        assert metric.agreement(first, second) == pytest.approx(same)
        assert metric.agreement(first, first) == 1
    both = ((first > 0.5) == (second > 0.5)).mean()
    assert BinaryAccuracy().agreement(first, second) == pytest.approx(both)
    assert MeanAbsoluteError().agreement(first, second) is None
    parts = {"a": OutputMetric(ClassAccuracy(), 1.0), "b": OutputMetric(R2(), 1.0)}
    pair = [[first, first], [second, second]]
    assert WeightedSum(parts, ("a", "b")).agreement(*pair) == pytest.approx(same)


@CASES
@given(classified(), st.integers(1, 11))
def test_the_sums_of_parts_give_the_score_of_all(drawn, cut: int) -> None:
    labels, scores = drawn
    cut = min(cut, len(labels) - 1)
    for metric in (ClassAccuracy(), MeanIoU()):
        parts = metric.sums(labels[:cut], scores[:cut]) + metric.sums(labels[cut:], scores[cut:])
        assert metric.score_of(parts) == metric(labels, scores)


def test_unsigned_labels_do_not_wrap_around() -> None:
    labels, outputs = np.array([200, 3], np.uint8), np.array([[10], [250]], np.uint8)
    assert MeanAbsoluteError()(labels, outputs).value == (190 + 247) / 2


def test_a_weighted_sum_adds_scores_by_name_and_order() -> None:
    labels = {"kind": np.array([[0], [1], [2]]), "size": np.array([1.0, 2.0, 3.0])}
    outputs = {"kind": np.eye(3)[[0, 1, 1]], "size": np.array([[1.0], [2.0], [6.0]])}
    parts = {
        "kind": OutputMetric(ClassAccuracy(), 1.0),
        "size": OutputMetric(MeanAbsoluteError(), 0.5),
    }
    metric = WeightedSum(parts, ("size", "kind"))
    assert metric(labels, outputs) == te.Score("weighted_sum", 2 / 3 - 0.5, True)
    listed = metric([labels["size"], labels["kind"]], [outputs["size"], outputs["kind"]])
    assert listed == metric(labels, outputs)
    assert metric.per_example(labels, outputs).tolist() == [1.0, 1.0, -1.5]
    errors = WeightedSum({"size": OutputMetric(MeanAbsoluteError(), 0.5)}, ("size", "kind"))
    assert errors(labels, outputs) == te.Score("weighted_sum", 0.5, False)
    with pytest.raises(DataError, match="output 'kind': outputs of shape"):
        metric({**labels, "kind": np.zeros((3, 2))}, outputs)
    with pytest.raises(DataError, match="needs labels for the outputs"):
        metric({"size": labels["size"]}, outputs)


def test_a_function_gets_everything_and_returns_one_number() -> None:
    def lead(y_true, y_pred):
        return np.abs(y_true - y_pred).max()

    metric = FunctionMetric(lead, "lead", higher_is_better=False)
    assert metric(np.array([1.0, 5.0]), np.array([1.0, 2.0])) == te.Score("lead", 3.0, False)
    with pytest.raises(DataError, match="must return one number"):
        FunctionMetric(lambda a, b: a == b, "equal")(np.zeros(3), np.zeros(3))
    with pytest.raises(DataError, match="every example needs its labels"):
        metric(np.zeros(3), np.zeros(4))
    with pytest.raises(DataError, match="must be finite"):
        FunctionMetric(lambda a, b: np.nan, "undefined")(np.zeros(3), np.zeros(3))


SHAPES = [
    (ClassAccuracy(), (3, 5), (3, 4)),
    (ClassAccuracy(), (4, 5), (3,)),
    (ClassAccuracy(), (3, 8, 8, 5), (3,)),
    (ClassAccuracy(), (3, 8, 8, 5), (3, 8, 8, 1, 1)),
    (ClassAccuracy(threshold=0.5), (3, 1), (3, 2)),
    (ClassAccuracy(threshold=0.5), (3, 1), (1, 3)),
    (MeanIoU(), (3, 8, 8, 5), (3, 8, 1)),
    (BinaryAccuracy(), (3, 5), (3,)),
    (BinaryAccuracy(), (3, 5), (3, 1)),
    (MeanAbsoluteError(), (3, 5), (3, 1)),
    (MeanAbsoluteError(), (3, 1), (1, 3)),
    (MeanAbsoluteError(), (3, 5), (5,)),
    (R2(), (3, 1), (3, 3)),
    (R2(), (3, 8, 8, 1), (3, 1, 1, 1)),
]


@pytest.mark.parametrize(("metric", "outputs", "labels"), SHAPES, ids=str)
def test_no_shape_is_broadcast(metric: te.Metric, outputs, labels) -> None:
    scores = np.random.default_rng(0).normal(size=outputs)
    with pytest.raises(DataError) as raised:
        metric(np.zeros(labels, int), scores)
    told = str(raised.value)
    assert str(list(outputs)) in told, "what was there"
    assert str(list(labels)) in told, "what was received"
    assert "or another metric" in told, "what to do"


def test_pooled_convolutions_keep_positions_of_one_pixel() -> None:
    scores = np.eye(4)[[0, 1, 2]].reshape(3, 1, 1, 4)
    for labels in (np.array([0, 1, 3]), np.array([[0], [1], [3]]), np.eye(4)[[0, 1, 3]]):
        assert ClassAccuracy()(labels, scores).value == 2 / 3


@pytest.mark.parametrize(
    ("metric", "labels", "outputs", "told"),
    [
        (ClassAccuracy(), [0, 5], np.eye(2), "a label is 5"),
        (ClassAccuracy(), [0, -1], np.eye(2), "a label is -1"),
        (ClassAccuracy(), [0.5, 1], np.eye(2), "integers, received 0.5"),
        (ClassAccuracy(), [[1, 1], [0, 1]], np.eye(2), "must be one-hot rows"),
        (ClassAccuracy(), ["cat", "dog"], np.eye(2), "array of numbers"),
        (ClassAccuracy(threshold=0.5), [0, 2], np.ones((2, 1)), "a label is 2"),
        (ClassAccuracy(), [0, 1], [[np.nan, 1], [0, 1]], "hold NaN"),
        (ClassAccuracy(), [], np.zeros((0, 3)), "at least one example"),
        (BinaryAccuracy(), [[0, 2]], [[0.0, 1.0]], "0 or 1, received 2"),
        (MeanAbsoluteError(), [1.0, np.nan], [1.0, 2.0], "a label is NaN"),
        (MeanAbsoluteError(), [1.0, 2.0], [1.0, np.inf], "output is infinite"),
        (R2(), [2.0, 2.0], [1.0, 2.0], "all 2 examples have the same label"),
    ],
)
def test_values_that_mean_nothing_are_refused(metric, labels, outputs, told) -> None:
    with pytest.raises(DataError, match=told):
        metric(np.array(labels), np.array(outputs))


def test_a_score_survives_json() -> None:
    score = te.Score("mae", 0.1, higher_is_better=False)
    assert te.Score.from_json(score.to_json()) == score
    assert (score.signed, te.Score("accuracy", 0.1).signed) == (-0.1, 0.1)
    with pytest.raises(DataError, match="a score is an object"):
        te.Score.from_json({"value": 1})
    with pytest.raises(DataError, match="must be finite"):
        te.Score("r2", float("-inf"))
