"""Keras against LiteRT against TFLM on real images: does the device compute what was trained?

LiteRT runs as on a phone, with its fast kernels. TFLM is compared with LiteRT's reference kernels:
both follow TFLite's specification to the bit, or nearly, so a difference points to an operator that
TFLM computes otherwise. (XNNPACK rounds integers its own way in every layer, which moves a few per cent of the
outputs by more than a step, whatever TFLM does.)
"""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_export.errors import DeviceError, VerificationError
from tflite_export.quantize.scheme import Tolerance, get_scheme
from tflite_export.runtimes import LiteModel, get_target, predict, tflm

if TYPE_CHECKING:
    import keras

    import tfelastic as te

BATCH_SIZE = 256

TFLM_IMAGES = 100
"""Images that TFLM is asked for; its plain kernels take a tenth of a second for a mid-sized net."""

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
class Verification:
    """What comparing a .tflite file with its Keras model found.

    Attributes:
        count: Number of images compared.
        logits_scale: Standard deviation of Keras' logits, over images and classes.
        mean_difference: Mean absolute difference of the logits, in units of `logits_scale`.
        max_difference: Largest absolute difference of any logit, in units of `logits_scale`.
        top1_agreement: Share of images on which both choose the same class, 0 to 1.
        accuracy_keras: Keras' share of right answers, 0 to 1.
        accuracy_tflite: LiteRT's share of right answers, 0 to 1.
        tolerance: The bounds that decide whether it passed.
        tflm: How TFLM compares, `None` where it is not the target.
    """

    count: int
    logits_scale: float
    mean_difference: float
    max_difference: float
    top1_agreement: float
    accuracy_keras: float
    accuracy_tflite: float
    tolerance: Tolerance
    tflm: TflmComparison | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Each bound that is broken, as a phrase; empty when the file passed."""
        bounds, broken = self.tolerance, []
        # Written as "not within" so that NaN breaks a bound.
        if not self.mean_difference <= bounds.mean_difference:
            broken.append(
                f"mean difference {self.mean_difference:.3g} of the logits' scale, allowed "
                f"{bounds.mean_difference:g}"
            )
        if not self.max_difference <= bounds.max_difference:
            broken.append(
                f"largest difference {self.max_difference:.3g} of the logits' scale, allowed "
                f"{bounds.max_difference:g}"
            )
        if not self.top1_agreement >= bounds.top1_agreement:
            broken.append(
                f"same class on {self.top1_agreement:.2%} of the images, needed "
                f"{bounds.top1_agreement:.2%}"
            )
        if not self.accuracy_keras - self.accuracy_tflite <= bounds.accuracy_drop:
            broken.append(
                f"accuracy {self.accuracy_tflite:.2%} against Keras' {self.accuracy_keras:.2%}, "
                f"may lose {bounds.accuracy_drop:.2%}"
            )
        if self.tflm and not self.tflm.within_one_step >= bounds.within_one_step:
            broken.append(f"{self.tflm}, needed {bounds.within_one_step:.2%}")
        return tuple(broken)

    @property
    def passed(self) -> bool:
        """Whether every figure is within the tolerance."""
        return not self.reasons

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "FAILED: " + "; ".join(self.reasons)
        return (
            f"{self.count} images: accuracy {self.accuracy_tflite:.2%} (Keras "
            f"{self.accuracy_keras:.2%}), same class {self.top1_agreement:.2%}, logits differ by "
            f"{self.mean_difference:.2g} of their scale in the mean, {self.max_difference:.2g} at "
            f"most{f'; {self.tflm}' if self.tflm and self.passed else ''}: {verdict}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures and the verdict as plain data."""
        return {**asdict(self), "passed": self.passed, "reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Verification":
        """Read what `to_json` wrote; the verdict follows from the figures."""
        figures = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        tolerance, micro = Tolerance.from_json(data["tolerance"]), figures.get("tflm")
        return cls(**{**figures, "tolerance": tolerance, "tflm": micro and TflmComparison(**micro)})


def verify(
    model: "keras.Model",
    tflite: bytes,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    scheme: str = "int8",
    target: str = "phone",
    tolerance: Tolerance | None = None,
) -> Verification:
    """Compare a .tflite file with the Keras model it was converted from and, for TFLM, the runtimes.

    Args:
        model: The Keras model.
        tflite: The file's bytes.
        images: Raw pixels 0..255, `[count, height, width, channels]`; at least two that differ.
        labels: Right classes `[count]` or `[count, 1]`, one-hot rows `[count, classes]`, or 0 and 1 for each of several
            labels `[count, labels]`.
        scheme: The scheme of the file; it brings the default tolerance.
        target: Kind of device; for `"tflm"` the file must run there and give what LiteRT gives, on the
            first 100 images.
        tolerance: Bounds to use instead of the scheme's.

    Returns:
        The figures, and whether they are within the tolerance. A broken bound does not raise here.

    Raises:
        SchemeError: The scheme or the target is unknown.
        VerificationError: Nothing can be compared: images and labels do not fit, an output is not
            finite, or Keras computes the same logits for every image.
    """
    bounds = tolerance if tolerance is not None else get_scheme(scheme).tolerance
    if len(images) != len(labels) or len(images) < 2:
        raise VerificationError(
            f"verification needs at least two images with one label each, got {len(images)} images "
            f"and {len(labels)} labels"
        )
    device = get_target(target)
    found = compare(
        keras_logits(model, images),
        predict(tflite, images),
        labels,
        tolerance=bounds,
        metric=_metric_of(model, labels),
    )
    return replace(found, tflm=compare_tflm(tflite, images)) if device.tflm else found


def compare_tflm(tflite: bytes, images: np.ndarray) -> TflmComparison:
    """Compare TFLM with LiteRT's reference kernels on the first of the images.

    A file that TFLM cannot run, or crashes on, gives a report that says so.
    """
    model = LiteModel(tflite, reference=True)
    encoded = model.encode(images[:TFLM_IMAGES])
    try:
        received = tflm.run(tflite, encoded)
    except DeviceError as error:
        return TflmComparison(count=0, within_one_step=0, max_steps=0, failure=str(error))
    expected = np.stack([model.run(image) for image in encoded])
    integers = np.issubdtype(expected.dtype, np.integer)
    step = 1 if integers else float(np.ptp(expected)) / FLOAT_STEPS or 1
    steps = np.abs(expected.astype(np.float64) - received) / step
    return TflmComparison(
        count=steps.size,
        within_one_step=float((steps <= 1).mean()),
        max_steps=float(steps.max()),
    )


def keras_logits(model: "keras.Model", images: np.ndarray) -> np.ndarray:
    """Run a Keras model over raw pixels, as it is compiled or not: float32 `[count, classes]`."""
    import keras

    batches = [
        model(images[start : start + BATCH_SIZE].astype(np.float32), training=False)
        for start in range(0, len(images), BATCH_SIZE)
    ]
    return np.concatenate([keras.ops.convert_to_numpy(batch) for batch in batches]).astype(
        np.float32
    )


def _metric_of(model: "keras.Model", labels: np.ndarray) -> "te.Metric":
    import tfelastic as te

    try:
        return te.metric_of(model, labels=labels)
    except te.errors.DataError as cause:
        raise VerificationError(str(cause)) from cause


def compare(
    expected: np.ndarray,
    received: np.ndarray,
    labels: np.ndarray,
    *,
    tolerance: Tolerance,
    metric: "te.Metric | None" = None,
) -> Verification:
    """Compare two sets of outputs `[count, ...]` against labels and a tolerance.

    Args:
        expected: Keras' outputs.
        received: LiteRT's outputs.
        labels: What the metric takes.
        tolerance: The bounds.
        metric: What both are scored by; accuracy over class scores `[count, classes]` where left out.

    Raises:
        VerificationError: The shapes differ, a value is not finite, `expected` does not vary, the labels do not fit,
            or the metric is not one of classes.
    """
    import tfelastic as te

    if expected.shape != received.shape:
        raise VerificationError(f"Keras returns {expected.shape}, LiteRT returns {received.shape}")
    if not (np.isfinite(expected).all() and np.isfinite(received).all()):
        raise VerificationError(
            "the logits hold NaN or infinity: the network's weights are damaged"
        )
    scale = float(expected.std())
    if (expected == expected[0]).all() or scale == 0:
        raise VerificationError(
            "Keras computes the same logits for every image: the network is dead, and nothing can "
            "be compared"
        )
    difference = np.abs(expected - received)
    chosen = metric or te.metrics.ClassAccuracy()
    try:
        agreement = chosen.agreement(expected, received)
        scores = chosen(labels, expected), chosen(labels, received)
    except te.errors.DataError as cause:
        raise VerificationError(str(cause)) from cause
    if agreement is None:
        raise VerificationError(
            f"verification compares what classes are chosen, and the metric {chosen.name!r} knows none; compile the "
            "model with a loss of classes"
        )
    return Verification(
        count=len(expected),
        logits_scale=scale,
        mean_difference=float(difference.mean()) / scale,
        max_difference=float(difference.max()) / scale,
        top1_agreement=agreement,
        accuracy_keras=scores[0].value,
        accuracy_tflite=scores[1].value,
        tolerance=tolerance,
    )
