"""Keras against LiteRT against TFLM on real samples: does the device compute what was trained?

LiteRT runs as on a phone, with its fast kernels. TFLM is compared with LiteRT's reference kernels:
both follow TFLite's specification to the bit, or nearly, so a difference points to an operator that
TFLM computes otherwise. (XNNPACK rounds integers its own way in every layer, which moves a few per cent of the
outputs by more than a step, whatever TFLM does.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_export.errors import DeviceError, VerificationError
from tflite_export.keras_models import Arrays, Signature, float_outputs
from tflite_export.quantize.scheme import Tolerance, get_scheme
from tflite_export.runtimes import LiteModel, get_target, predict_all, tflm
from tflite_export.scoring import Loss, paired_loss, resampled_loss

if TYPE_CHECKING:
    import keras

    from tfelastic import Metric

TFLM_SAMPLES = 100
"""Samples that TFLM is asked for; its plain kernels take a tenth of a second for a mid-sized net."""

FLOAT_STEPS = 255
"""A float output has no steps of its own: one step is this part of the range of LiteRT's outputs."""


@dataclass(frozen=True, kw_only=True)
class TflmComparison:
    """How TFLM's outputs compare with those of LiteRT's reference kernels.

    Attributes:
        count: Number of output values compared, 0 where TFLM could not run the file.
        within_one_step: Share of them that differ by at most one step, 0 to 1.
        max_steps: Largest difference, in steps.
        failure: TFLM's last words where it could not run the file, else empty.
    """

    count: int
    within_one_step: float
    max_steps: float
    failure: str = ""

    def __str__(self) -> str:
        if self.failure:
            return self.failure
        return (
            f"TFLM within one step on {self.within_one_step:.2%} of {self.count} outputs, "
            f"{self.max_steps:.3g} steps at most"
        )


@dataclass(frozen=True, kw_only=True)
class OutputComparison:
    """How one output of a .tflite file compares with the Keras model's.

    Attributes:
        name: The model's name for it.
        scale: Standard deviation of Keras' values.
        mean_difference: Mean absolute difference, in units of `scale`.
        max_difference: Largest absolute difference of any value, in units of `scale`.
        agreement: Share of the answers (of a map, of its pixels) for which both choose the same class, 0 to 1;
            1 where the output is one number.
    """

    name: str
    scale: float
    mean_difference: float
    max_difference: float
    agreement: float


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What comparing a .tflite file with its Keras model found.

    Attributes:
        count: Number of samples compared.
        outputs: One comparison per output.
        score_keras: Keras' score; of accuracy the share of right answers, 0 to 1.
        score_tflite: LiteRT's score.
        loss: How much the score lost, with an interval of 95 %.
        tolerance: The bounds that decide whether it passed.
        metric: What the score measures.
        higher_is_better: Whether a larger score is better.
        tflm: How TFLM compares, `None` where it is not the target.
    """

    count: int
    outputs: tuple[OutputComparison, ...]
    score_keras: float
    score_tflite: float
    loss: Loss
    tolerance: Tolerance
    metric: str = "accuracy"
    higher_is_better: bool = True
    tflm: TflmComparison | None = None

    @property
    def mean_difference(self) -> float:
        """The largest mean difference of any output, in units of its scale."""
        return max(each.mean_difference for each in self.outputs)

    @property
    def max_difference(self) -> float:
        """The largest difference of any value of any output, in units of its scale."""
        return max(each.max_difference for each in self.outputs)

    @property
    def top1_agreement(self) -> float:
        """The smallest share of answers for which both choose the same class, 0 to 1."""
        return min(each.agreement for each in self.outputs)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Each bound that is broken, as a phrase; empty when the file passed."""
        bounds, broken = self.tolerance, []
        for each in self.outputs:
            of = f" of output {each.name!r}" if len(self.outputs) > 1 else ""
            # Written as "not within" so that NaN breaks a bound.
            if not each.mean_difference <= bounds.mean_difference:
                broken.append(
                    f"mean difference{of} {each.mean_difference:.3g} of the outputs' scale, allowed "
                    f"{bounds.mean_difference:g}"
                )
            if not each.max_difference <= bounds.max_difference:
                broken.append(
                    f"largest difference{of} {each.max_difference:.3g} of the outputs' scale, allowed "
                    f"{bounds.max_difference:g}"
                )
            if not each.agreement >= bounds.top1_agreement:
                broken.append(
                    f"same class{of} for {each.agreement:.2%}, needed {bounds.top1_agreement:.2%}"
                )
        # A bound on a score is a statement about all inputs, of which these are a sample.
        if not self.loss.low <= bounds.accuracy_drop:
            broken.append(
                f"{self.metric} {self._told(self.score_tflite)} against Keras' {self._told(self.score_keras)}: "
                f"at least {self._told(self.loss.low)} lost, may lose {self._told(bounds.accuracy_drop)}"
            )
        if self.tflm and not self.tflm.within_one_step >= bounds.within_one_step:
            broken.append(f"{self.tflm}, needed {bounds.within_one_step:.2%}")
        return tuple(broken)

    @property
    def passed(self) -> bool:
        """Whether every figure is within the tolerance, or could be by chance."""
        return not self.reasons

    @property
    def note(self) -> str:
        """What a test set of this size cannot tell of the loss; empty where it is large enough."""
        if self.loss.high <= self.tolerance.accuracy_drop or not self.passed:
            return ""
        return (
            f"{self.count} samples are few: the loss of {self.metric} lies between "
            f"{self._told(self.loss.low)} and {self._told(self.loss.high)}"
        )

    def _told(self, value: float) -> str:
        return f"{value:.2%}" if self.metric == "accuracy" else f"{value:.4g}"

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "FAILED: " + "; ".join(self.reasons)
        tflm = f"; {self.tflm}" if self.tflm and self.passed else ""
        return (
            f"{self.count} samples: {self.metric} {self._told(self.score_tflite)} (Keras "
            f"{self._told(self.score_keras)}), same class {self.top1_agreement:.2%}, outputs differ by "
            f"{self.mean_difference:.2g} of their scale in the mean, {self.max_difference:.2g} at "
            f"most{tflm}: {verdict}{f' ({self.note})' if self.note else ''}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures and the verdict as plain data."""
        worst = ("mean_difference", "max_difference", "top1_agreement", "passed", "note")
        derived = {name: getattr(self, name) for name in worst}
        return {**asdict(self), **derived, "reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Verification":
        """Read what `to_json` wrote; the verdict follows from the figures."""
        figures = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        parts = {
            "outputs": tuple(OutputComparison(**each) for each in data["outputs"]),
            "loss": Loss(**data["loss"]),
            "tolerance": Tolerance.from_json(data["tolerance"]),
            "tflm": figures.get("tflm") and TflmComparison(**figures["tflm"]),
        }
        return cls(**{**figures, **parts})


def verify(
    model: "keras.Model",
    tflite: bytes,
    samples: Arrays,
    labels: Any,
    *,
    scheme: str = "int8",
    target: str = "phone",
    tolerance: Tolerance | None = None,
    metric: "Metric | None" = None,
) -> Verification:
    """Compare a .tflite file with the Keras model it was converted from and, for TFLM, the runtimes.

    Args:
        model: The Keras model.
        tflite: The file's bytes, as `convert` returns them: its inputs and outputs in the model's order.
        samples: Raw pixels 0..255 or real values `[count, ...]`, at least two that differ; for several inputs a
            sequence in the model's order or a dict by name.
        labels: What the model should return, as the metric takes it: for instance classes `[count]`;
            for several outputs a sequence in the model's order or a dict by name.
        scheme: The scheme of the file; it brings the default tolerance.
        target: Kind of device; for `"tflm"` the file must run there and give what LiteRT gives, on the
            first 100 samples.
        tolerance: Bounds to use instead of the scheme's.
        metric: What to score by; what `tfelastic.metric_of` finds for the model and the labels unless given.

    Returns:
        The figures, and whether they are within the tolerance. A broken bound does not raise here.

    Raises:
        SchemeError: The scheme or the target is unknown.
        VerificationError: Nothing can be compared: samples and labels do not fit, an output is not
            finite, or Keras computes the same outputs for every sample.
    """
    bounds = tolerance if tolerance is not None else get_scheme(scheme).tolerance
    device, signature = get_target(target), Signature.of(model)
    arrays = signature.arrays(samples, error=VerificationError, what="verification samples")
    found = compare(
        float_outputs(model, arrays),
        predict_all(tflite, arrays),
        labels,
        names=[port.name for port in signature.outputs],
        tolerance=bounds,
        metric=metric or _metric_of(model, labels),
    )
    return replace(found, tflm=compare_tflm(tflite, arrays)) if device.tflm else found


def compare_tflm(tflite: bytes, arrays: Sequence[np.ndarray]) -> TflmComparison:
    """Compare TFLM with LiteRT's reference kernels on the first of the samples, one array per input.

    A file that TFLM cannot run, or crashes on, gives a report that says so.
    """
    model = LiteModel(tflite, reference=True)
    encoded = model.encode([array[:TFLM_SAMPLES] for array in arrays])
    try:
        received = tflm.run(tflite, encoded)
    except DeviceError as error:
        return TflmComparison(count=0, within_one_step=0, max_steps=0, failure=str(error))
    expected = [model.run(sample) for sample in zip(*encoded, strict=True)]
    pairs = zip(map(np.stack, zip(*expected, strict=True)), received, strict=True)
    steps = np.concatenate([_steps(*pair).ravel() for pair in pairs])
    return TflmComparison(
        count=steps.size,
        within_one_step=float((steps <= 1).mean()),
        max_steps=float(steps.max()),
    )


def _steps(expected: np.ndarray, received: np.ndarray) -> np.ndarray:
    integers = np.issubdtype(expected.dtype, np.integer)
    step = 1 if integers else float(np.ptp(expected)) / FLOAT_STEPS or 1
    steps: np.ndarray = np.abs(expected.astype(np.float64) - received) / step
    return steps


def compare(
    expected: Sequence[np.ndarray],
    received: Sequence[np.ndarray],
    labels: Any,
    *,
    names: Sequence[str],
    tolerance: Tolerance,
    metric: "Metric | None" = None,
) -> Verification:
    """Compare two models' outputs, one array `[count, ...]` each, with one another and with labels.

    Raises:
        VerificationError: The shapes differ, a value is not finite, or an output of `expected` does not vary.
    """
    comparisons = tuple(map(_compare_output, names, expected, received))
    import tfelastic as te

    metric = metric or te.metrics.ClassAccuracy()
    keras_score, tflite_score, loss = _scored(expected, received, labels, names, metric)
    return Verification(
        count=len(expected[0]),
        outputs=comparisons,
        score_keras=keras_score,
        score_tflite=tflite_score,
        loss=loss,
        tolerance=tolerance,
        metric=metric.name,
        higher_is_better=metric.higher_is_better,
    )


def _scored(
    expected: Sequence[np.ndarray],
    received: Sequence[np.ndarray],
    labels: Any,
    names: Sequence[str],
    metric: "Metric",
) -> tuple[float, float, Loss]:
    count = len(expected[0])
    by_output = _by_output(labels, names)
    sizes = [len(each) for each in by_output]
    if any(size != count for size in sizes) or count < 2:
        raise VerificationError(
            f"verification needs at least two samples with one label each, got {count} samples and "
            f"{', '.join(map(str, sizes))} labels"
        )
    # Models of one output have no tuples, but for a metric they have the names that labels have.
    one = len(names) == 1
    truth = by_output[0] if one else dict(zip(names, by_output, strict=True))
    before, after = (
        each[0] if one else dict(zip(names, each, strict=True)) for each in (expected, received)
    )
    try:
        scores = metric.value(truth, before), metric.value(truth, after)
        per_example = metric.per_example(truth, before), metric.per_example(truth, after)
    except ValueError as cause:
        raise VerificationError(str(cause)) from cause
    if per_example[0] is None or per_example[1] is None:
        return *scores, resampled_loss(metric, truth, before, after)
    sign = 1 if metric.higher_is_better else -1
    return *scores, paired_loss(sign * per_example[0], sign * per_example[1])


def _metric_of(model: "keras.Model", labels: Any) -> "Metric":
    import tfelastic as te

    try:
        return te.metric_of(model, labels=labels)
    except te.errors.DataError as cause:
        raise VerificationError(str(cause)) from cause


def _by_output(labels: Any, names: Sequence[str]) -> list[np.ndarray]:
    """Return labels as one array per output."""
    if isinstance(labels, Mapping):
        if set(labels) != set(names):
            raise VerificationError(f"labels must be named {list(names)}, got {list(labels)}")
        return [np.asarray(labels[name]) for name in names]
    if len(names) == 1:
        return [np.asarray(labels)]
    if not isinstance(labels, list | tuple) or len(labels) != len(names):
        raise VerificationError(
            f"labels must be {len(names)} arrays, for {', '.join(names)}, or a dict of these names"
        )
    return [np.asarray(each) for each in labels]


def _compare_output(name: str, expected: np.ndarray, received: np.ndarray) -> OutputComparison:
    if expected.shape != received.shape:
        raise VerificationError(f"Keras returns {expected.shape}, LiteRT returns {received.shape}")
    if not (np.isfinite(expected).all() and np.isfinite(received).all()):
        raise VerificationError(
            f"output {name!r} holds NaN or infinity: the network's weights are damaged"
        )
    scale = float(expected.std())
    if (expected == expected[0]).all() or scale == 0:
        raise VerificationError(
            f"Keras computes the same output {name!r} for every sample: the network is dead, and nothing "
            "can be compared"
        )
    difference = np.abs(expected - received)
    same = np.ones(1)
    if expected.ndim > 1 and expected.shape[-1] > 1:
        same = expected.argmax(axis=-1) == received.argmax(axis=-1)
    return OutputComparison(
        name=name,
        scale=scale,
        mean_difference=float(difference.mean()) / scale,
        max_difference=float(difference.max()) / scale,
        agreement=float(same.mean()),
    )
