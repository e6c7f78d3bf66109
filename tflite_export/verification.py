"""What comparing a .tflite file with its Keras model found, and which bounds it breaks."""

from dataclasses import asdict, dataclass
from typing import Any

from tflite_export.errors import VerificationError
from tflite_export.quantize.scheme import Tolerance
from tflite_export.scoring import Loss


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
        agreement: Share of the decisions (classes of samples or pixels, or yes and no) that both have in common,
            0 to 1; `None` where the output is a quantity and decides nothing.
    """

    name: str
    scale: float
    mean_difference: float
    max_difference: float
    agreement: float | None


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
        is_share: Whether the score is a share, whose loss is counted in points.
        unit: What the loss is measured in, 1 for a share.
        reference: Whether LiteRT ran its reference kernels, which TFLM computes, rather than the fast ones.
        tflm: How TFLM compares, `None` where it is not the target.
        hint: What both models have in common that is likely wrong, such as images scaled outside of them; as a rule
            empty.
    """

    count: int
    outputs: tuple[OutputComparison, ...]
    score_keras: float
    score_tflite: float
    loss: Loss
    tolerance: Tolerance
    metric: str = "accuracy"
    higher_is_better: bool = True
    is_share: bool = True
    unit: float = 1.0
    reference: bool = False
    tflm: TflmComparison | None = None
    hint: str = ""

    @property
    def accuracy_keras(self) -> float:
        """Keras' score, where that is the accuracy.

        Raises:
            VerificationError: The score is of another metric.
        """
        return self._accuracy(self.score_keras)

    @property
    def accuracy_tflite(self) -> float:
        """LiteRT's score, where that is the accuracy.

        Raises:
            VerificationError: The score is of another metric.
        """
        return self._accuracy(self.score_tflite)

    def _accuracy(self, score: float) -> float:
        if self.metric != "accuracy":
            raise VerificationError(
                f"the score is the {self.metric}, not the accuracy; ask for score_keras and score_tflite"
            )
        return score

    @property
    def mean_difference(self) -> float:
        """The largest mean difference of any output, in units of its scale."""
        return max(each.mean_difference for each in self.outputs)

    @property
    def max_difference(self) -> float:
        """The largest difference of any value of any output, in units of its scale."""
        return max(each.max_difference for each in self.outputs)

    @property
    def top1_agreement(self) -> float | None:
        """The smallest share of decisions in common of any output, 0 to 1; `None` where no output decides."""
        found = [each.agreement for each in self.outputs if each.agreement is not None]
        return min(found, default=None)

    @property
    def allowed_loss(self) -> float:
        """How much of the score may be lost, in its own unit."""
        share = self.tolerance.score_loss if self.is_share else self.tolerance.relative_loss
        return share * self.unit

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
            if each.agreement is not None and not each.agreement >= bounds.top1_agreement:
                broken.append(
                    f"same class{of} for {each.agreement:.2%}, needed {bounds.top1_agreement:.2%}"
                )
        # A bound on a score is a statement about all inputs, of which these are a sample.
        if not self.loss.low <= self.allowed_loss:
            broken.append(
                f"{self.metric} {self._text(self.score_tflite)} against Keras' {self._text(self.score_keras)}"
                f"{self._direction}: worse by at least {self._text(self.loss.low)}, allowed "
                f"{self._text(self.allowed_loss)}"
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
        if self.loss.high <= self.allowed_loss or not self.passed:
            return ""
        return (
            f"{self.count} samples are few: the loss of {self.metric} lies between "
            f"{self._text(self.loss.low)} and {self._text(self.loss.high)}"
        )

    @property
    def _direction(self) -> str:
        return "" if self.higher_is_better else " (lower is better)"

    def _text(self, value: float) -> str:
        return f"{value:.2%}" if self.is_share and self.unit == 1 else f"{value:.4g}"

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "FAILED: " + "; ".join(self.reasons)
        tflm = f"; {self.tflm}" if self.tflm and self.passed else ""
        same = "" if self.top1_agreement is None else f"same class {self.top1_agreement:.2%}, "
        return (
            f"{self.count} samples: {self.metric} {self._text(self.score_tflite)} (Keras "
            f"{self._text(self.score_keras)}){self._direction}, {same}outputs differ by "
            f"{self.mean_difference:.2g} of their scale in the mean, {self.max_difference:.2g} at "
            f"most{tflm}: {verdict}{f' ({self.note})' if self.note else ''}"
            f"{f'; {self.hint}' if self.hint else ''}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures and the verdict as plain data."""
        worst = (
            "mean_difference",
            "max_difference",
            "top1_agreement",
            "allowed_loss",
            "passed",
            "note",
        )
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
