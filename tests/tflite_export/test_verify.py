"""Every scheme keeps its tolerance, and a wrong net does not; tests/laws holds law 10."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
from tflite_export._convert import convert
from tflite_export._verify import compare, compare_tflm, verify
from tflite_export.errors import VerificationError
from tflite_export.quantize.scheme import SCHEMES, Tolerance
from tflite_export.runtimes import predict_all, tflm
from tflite_export.scoring import loss_of
from tflite_export.verification import Verification

# Tighter than the schemes' defaults: what these small nets keep, and what one wrong channel breaks.
TIGHT = {
    "float32": Tolerance(mean_difference=1e-6, max_difference=1e-5, top1_agreement=0.99),
    "int8": Tolerance(mean_difference=0.03, max_difference=0.3, top1_agreement=0.95),
}
LOOSE = Tolerance(mean_difference=10, max_difference=10, top1_agreement=0, score_loss=1)


def _compare(expected, received, labels, *, tolerance=LOOSE):
    return compare([expected], [received], labels, names=["logits"], tolerance=tolerance)


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [
        *[("residual", scheme) for scheme in SCHEMES if not SCHEMES[scheme].tuned],
        ("plain", "int8"),
        ("flatten", "int8"),
    ],
)
def test_keras_and_tflite_agree_in_every_scheme(nets, converted, images, labels, kind, scheme):
    tflite = converted(kind, scheme)
    found = verify(
        nets[kind],
        tflite,
        images,
        labels[kind],
        scheme=scheme,
        tolerance=TIGHT.get(scheme),
    )
    assert found.passed, str(found)
    assert found.score_keras > 0.6
    assert found.mean_difference < found.max_difference


def test_one_wrong_kernel_value_fails_a_float_file(build, converted, images, labels):
    wrong = build("residual")
    kernel = wrong.get_layer("first").kernel
    changed = kernel.numpy()
    changed[1, 1, 0, 0] *= 1.01
    kernel.assign(changed)
    found = verify(
        wrong, converted("residual", "float32"), images, labels["residual"], scheme="float32"
    )
    assert not found.passed
    assert "of the outputs' scale" in found.reasons[0]


@pytest.mark.parametrize("kind", ["plain", "residual", "flatten"])
def test_one_wrong_channel_fails_an_int8_file(build, converted, images, labels, kind):
    wrong = build(kind)
    kernel = wrong.get_layer("first").kernel
    channels = np.arange(kernel.shape[-1])
    channels[[0, 1]] = [1, 0]
    kernel.assign(kernel.numpy()[..., channels])
    found = verify(wrong, converted(kind), images, labels[kind], tolerance=TIGHT["int8"])
    assert not found.passed, str(found)


def test_figures_worked_by_hand():
    expected = np.array([[0, 1], [2, 1], [4, 1], [6, 1]], np.float32)
    received = expected + np.array([[0, 0], [0, 0], [0, 0], [-6, 0]], np.float32)
    found = _compare(expected, received, np.array([1, 0, 1, 1]))
    # The mean is 2; the deviations -2, 0, 2, 4 and four times -1 have the mean square 28 / 8.
    assert found.outputs[0].scale == pytest.approx(3.5**0.5)
    assert found.max_difference == pytest.approx(6 / 3.5**0.5)
    assert found.mean_difference == pytest.approx(6 / 8 / 3.5**0.5)
    assert (found.top1_agreement, found.score_keras, found.score_tflite) == (0.75, 0.5, 0.75)
    assert (found.accuracy_keras, found.accuracy_tflite) == (0.5, 0.75)
    with pytest.raises(VerificationError, match="the score is the mae"):
        replace(found, metric="mae").accuracy_tflite  # noqa: B018 - a property that raises.
    assert found.passed


@pytest.mark.parametrize(
    ("bound", "told"),
    [
        ({"mean_difference": 0.1}, "mean difference"),
        ({"max_difference": 0.1}, "largest difference"),
        ({"top1_agreement": 0.9}, "same class for 50.00%"),
        ({"score_loss": 0.1}, "accuracy 50.00% against"),
    ],
)
def test_each_bound_alone_can_fail(bound, told):
    expected = np.tile(np.array([[0, 1], [1, 0]], np.float32), (100, 1))
    received = np.tile(np.array([[1, 0], [1, 0]], np.float32), (100, 1))
    tolerance = Tolerance(**{**LOOSE.to_json(), **bound})
    found = _compare(expected, received, np.tile([1, 0], 100), tolerance=tolerance)
    assert len(found.reasons) == 1
    assert told in found.reasons[0]
    assert "FAILED" in str(found)


def _scored(metric, truth, before, after, **bounds):
    tolerance = replace(LOOSE, **{"score_loss": 0.01, "relative_loss": 0.05, **bounds})
    return compare([before], [after], truth, names=["y"], tolerance=tolerance, metric=metric)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("metric", ["mae", "mse", "r2", "a function", "a sum"])
def test_a_worse_value_breaks_the_bound_in_any_unit_and_a_better_one_does_not(metric, size):
    def closeness(y_true, y_pred):
        return -float(np.square(y_true - y_pred).sum())

    rng = np.random.default_rng(0)
    truth = size * rng.normal(size=(400, 2)).astype(np.float32)
    good, bad = (truth + size * share * rng.normal(size=truth.shape) for share in (0.05, 0.3))
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    asked = closeness if metric == "a function" else metric
    judge = te.metric_of(model, {"output": ("mae", 7.0)} if metric == "a sum" else asked)
    if metric == "a sum":
        before, after = ({"output": values} for values in (good, bad))
        worse = loss_of(judge, {"output": truth}, before, after)
        assert worse.low > 0.05 * judge.unit({"output": truth}, before)
        return
    found = _scored(judge, truth, good, bad)
    assert len(found.reasons) == 1, str(found)
    assert judge.name in found.reasons[0]
    assert ("lower is better" in found.reasons[0]) == (metric in ("mae", "mse"))
    assert (found.top1_agreement, found.outputs[0].agreement) == (None, None)
    assert _scored(judge, truth, bad, good).passed
    assert _scored(judge, truth, good, good + size * 0.01 * rng.normal(size=truth.shape)).passed
    assert Verification.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_mean_error_is_held_against_that_of_the_mean_answer():
    truth = np.array([[-1.0], [1.0], [-1.0], [1.0]], np.float32)
    judge = te.metrics.MeanAbsoluteError()
    found = _scored(judge, truth, 1.1 * truth, 1.2 * truth)
    assert found.unit == pytest.approx(1)
    assert found.allowed_loss == pytest.approx(0.05)
    assert found.loss.mean == pytest.approx(0.1)
    assert (
        "mae 0.2 against Keras' 0.1 (lower is better): worse by at least 0.1, allowed 0.05"
        in (found.reasons[0])
    )


def test_masks_are_judged_by_their_mean_iou():
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.integers(0, 3, (30, 4, 4)), 2, axis=2)
    sure = np.eye(3, dtype=np.float32)[truth]
    wrong = truth.copy()
    wrong[rng.random(truth.shape) < 0.1] = 0
    other = np.eye(3, dtype=np.float32)[wrong]
    found = _scored(te.metrics.MeanIoU(), truth, sure, other)
    assert "mean_iou" in found.reasons[0]
    assert found.score_keras == 1
    assert found.top1_agreement == (truth == wrong).mean()
    assert found.loss.low < found.loss.mean < found.loss.high
    assert _scored(te.metrics.MeanIoU(), truth, other, sure).passed


def test_a_quantity_decides_nothing_and_one_unit_of_a_yes_or_no_question_does():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 4)).astype(np.float32)
    order = values + 0.01 * values[:, ::-1]
    assert _scored(te.metrics.R2(), values, values, order).outputs[0].agreement is None
    unit = 1 / (1 + np.exp(-values[:, :1]))
    opposite = 1 - unit
    truth = (unit[:, 0] > 0.5).astype(int)
    metric = te.metrics.ClassAccuracy(threshold=0.5)
    assert _scored(metric, truth, unit, opposite).outputs[0].agreement == 0
    assert _scored(metric, truth, unit, unit).outputs[0].agreement == 1


def test_the_score_of_the_tflm_target_is_that_of_the_reference_kernels(
    nets, converted, images, labels
):
    tflite, expected = converted("residual"), labels["residual"]
    arrays = [images]
    phone = verify(nets["residual"], tflite, images, expected)
    board = verify(nets["residual"], tflite, images, expected, target="tflm")
    for found, reference in ((phone, False), (board, True)):
        (outputs,) = predict_all(tflite, arrays, reference=reference)
        assert found.reference == reference
        assert found.score_tflite == (outputs.argmax(1) == expected).mean()
        logits = np.asarray(nets["residual"](images.astype(np.float32)))
        assert found.mean_difference == pytest.approx(
            np.abs(outputs - logits).mean() / logits.std()
        )
    assert phone.mean_difference != board.mean_difference


def test_data_of_another_shape_and_files_of_another_model_are_named(
    nets, converted, images, labels
):
    with pytest.raises(
        VerificationError, match=r"shape \[count, 16, 16, 3\].*got \[200, 8, 8, 3\]"
    ):
        verify(nets["plain"], converted("plain"), images[:, ::2, ::2], labels["plain"])
    with pytest.raises(VerificationError, match="classes 0 to 4, but a label is 7"):
        verify(nets["plain"], converted("plain"), images, np.full(200, 7))
    with pytest.raises(VerificationError, match=r"labels of shape \[200, 9\]"):
        verify(nets["plain"], converted("plain"), images, np.eye(9)[labels["plain"]])
    other = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(5)])
    with pytest.raises(VerificationError, match=r"file takes \[1, 16, 16, 3\], .* \[1, 8, 8, 3\]"):
        verify(other, converted("plain"), images[:, ::2, ::2], labels["plain"])


def test_a_verification_comes_back_from_json():
    logits = np.array([[0.0, 1.0], [1.0, 0.5]], np.float32)
    found = _compare(logits, logits, np.array([1, 1]))
    data = json.loads(json.dumps(found.to_json()))
    assert data["passed"] is True
    assert Verification.from_json(data) == found


@pytest.mark.parametrize("kind", ["plain", "residual", "flatten"])
def test_tflm_gives_what_litert_gives(nets, converted, images, labels, kind):
    found = verify(nets[kind], converted(kind), images, labels[kind], target="tflm")
    assert found.passed, str(found)
    assert found.tflm.count == 100 * 5
    assert found.tflm.within_one_step >= 0.999
    assert "TFLM within one step" in str(found)
    assert Verification.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_file_that_tflm_cannot_run_fails_for_that_target_alone(nets, images, labels):
    # TFLM knows no float16.
    tflite = convert(nets["plain"], scheme="float16")
    asked = {"scheme": "float16", "tolerance": LOOSE}
    found = verify(nets["plain"], tflite, images, labels["plain"], target="tflm", **asked)
    assert "TFLM failed" in found.reasons[0]
    assert verify(nets["plain"], tflite, images, labels["plain"], **asked).passed


def test_a_crash_of_tflm_is_a_report(converted, images, monkeypatch):
    monkeypatch.setattr(tflm, "_INFERENCE", "import os; os.kill(os.getpid(), 11)")
    found = compare_tflm(converted("plain"), [images[:2]])
    assert (found.count, found.within_one_step) == (0, 0)
    assert "crashed (signal 11)" in found.failure


def test_a_tflm_that_computes_something_else_fails(converted, images, monkeypatch):
    right = tflm.run
    monkeypatch.setattr(
        tflm, "run", lambda *given: tuple(each + np.int8(2) for each in right(*given))
    )
    found = compare_tflm(converted("plain"), [images[:20]])
    assert found.within_one_step < 0.1
    assert found.max_steps >= 2


def test_what_cannot_be_compared_is_an_error():
    logits = np.eye(2, dtype=np.float32)
    labels = np.array([0, 1])
    with pytest.raises(VerificationError, match="dead"):
        _compare(np.ones((2, 2), np.float32), logits, labels)
    with pytest.raises(VerificationError, match="NaN"):
        _compare(logits, logits * np.nan, labels)
    with pytest.raises(VerificationError, match=r"\(2, 2\)"):
        _compare(logits, logits[:, :1], labels)


def test_images_and_labels_must_fit(nets, converted, images, labels):
    with pytest.raises(VerificationError, match="200 samples and 3 labels"):
        verify(nets["plain"], converted("plain"), images, labels["plain"][:3])


def test_a_compiled_model_is_left_as_it_is(images):
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(image)))
    model.compile(optimizer="sgd", loss="mse")
    tflite = convert(model, scheme="float32")
    assert verify(model, tflite, images[:20], np.zeros(20), scheme="float32").count == 20
    assert model.predict_function is None
