"""Keras against LiteRT on real images: does the device compute what was trained?"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_export.errors import VerificationError
from tflite_export.quantize.litert import predict
from tflite_export.quantize.scheme import Tolerance, get_scheme

if TYPE_CHECKING:
    import keras

BATCH_SIZE = 256


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
    """

    count: int
    logits_scale: float
    mean_difference: float
    max_difference: float
    top1_agreement: float
    accuracy_keras: float
    accuracy_tflite: float
    tolerance: Tolerance

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
            f"most: {verdict}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures and the verdict as plain data."""
        return {**asdict(self), "passed": self.passed, "reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Verification":
        """Read what `to_json` wrote; the verdict follows from the figures."""
        figures = {name: data[name] for name in cls.__dataclass_fields__ if name != "tolerance"}
        return cls(**figures, tolerance=Tolerance.from_json(data["tolerance"]))


def verify(
    model: "keras.Model",
    tflite: bytes,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    scheme: str = "int8",
    tolerance: Tolerance | None = None,
) -> Verification:
    """Compare a .tflite file with the Keras model that it was converted from.

    Args:
        model: The Keras model.
        tflite: The file's bytes.
        images: Raw pixels 0..255, `[count, height, width, channels]`; at least two that differ.
        labels: Right classes, `[count]`.
        scheme: The scheme of the file; it brings the default tolerance.
        tolerance: Bounds to use instead of the scheme's.

    Returns:
        The figures, and whether they are within the tolerance. A broken bound does not raise here.

    Raises:
        SchemeError: The scheme is unknown.
        VerificationError: Nothing can be compared: images and labels do not fit, an output is not
            finite, or Keras computes the same logits for every image.
    """
    bounds = tolerance if tolerance is not None else get_scheme(scheme).tolerance
    if len(images) != len(labels) or len(images) < 2:
        raise VerificationError(
            f"verification needs at least two images with one label each, got {len(images)} images "
            f"and {len(labels)} labels"
        )
    return compare(keras_logits(model, images), predict(tflite, images), labels, tolerance=bounds)


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


def compare(
    expected: np.ndarray, received: np.ndarray, labels: np.ndarray, *, tolerance: Tolerance
) -> Verification:
    """Compare two sets of logits `[count, classes]` against labels `[count]` and a tolerance.

    Raises:
        VerificationError: The shapes differ, a value is not finite, or `expected` does not vary.
    """
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
    choice_keras, choice_tflite = expected.argmax(axis=1), received.argmax(axis=1)
    return Verification(
        count=len(expected),
        logits_scale=scale,
        mean_difference=float(difference.mean()) / scale,
        max_difference=float(difference.max()) / scale,
        top1_agreement=float((choice_keras == choice_tflite).mean()),
        accuracy_keras=float((choice_keras == labels).mean()),
        accuracy_tflite=float((choice_tflite == labels).mean()),
        tolerance=tolerance,
    )
