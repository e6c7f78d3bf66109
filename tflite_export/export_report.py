"""What an export found: a report for each variant, which says how it goes into a bundle, and one of the whole."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tfelastic_runtime import InputSpec, OutputSpec, VariantPlan

from tflite_export.bundle import Variant
from tflite_export.errors import ConversionError, VerificationError
from tflite_export.quantize.kernel_sharing import Sharing
from tflite_export.verification import Verification


@dataclass(frozen=True, kw_only=True)
class VariantReport:
    """What became of one rung.

    Attributes:
        name: The rung's name.
        width: Its share of the channels, in (0, 1].
        scheme: The scheme it was converted by.
        params: Weights of its Keras model.
        macs: Multiply-accumulate operations of one inference.
        tflite_bytes: Size of its .tflite file.
        verification: How the file compares with the Keras model on the test data.
        sharing: Which kernels are the widest variant's; `None` for the widest itself.
        inputs: What it takes, in the file's order.
        outputs: What it gives.
        plan: What of the network it keeps; `None` where the ladder tells no plans.
        peak_bytes: Predicted bytes of activations alive at once, in the type that the file computes in.
        arena_bytes: The smallest arena in which TFLM ran the file; `None` where the target is another.
    """

    name: str
    width: float
    scheme: str
    params: int
    macs: int
    tflite_bytes: int
    verification: Verification
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    sharing: Sharing | None = None
    plan: VariantPlan | None = None
    peak_bytes: int | None = None
    arena_bytes: int | None = None

    def packable(self, tflite: bytes) -> Variant:
        """Return what a bundle takes: this report with its file.

        Raises:
            ConversionError: The file is not of the size that was reported.
        """
        if len(tflite) != self.tflite_bytes:
            raise ConversionError(
                f"variant {self.name!r} was exported with {self.tflite_bytes:,} bytes, the file given has "
                f"{len(tflite):,}: export the variant again"
            )
        return Variant(
            name=self.name,
            width=self.width,
            params=self.params,
            macs=self.macs,
            score=self.verification.score_tflite,
            scheme=self.scheme,
            tflite=tflite,
            plan=self.plan,
            peak_bytes=self.peak_bytes,
            arena_bytes=self.arena_bytes,
            metrics={f"keras {self.verification.metric}": self.verification.score_keras},
            input_names=tuple(spec.name for spec in self.inputs),
            output_names=tuple(spec.name for spec in self.outputs),
        )

    def require_agreement(self) -> None:
        """Check that the file agrees with its Keras model.

        Raises:
            VerificationError: It strays by more than the tolerance; the text says what to do.
        """
        if not self.verification.passed:
            raise VerificationError(
                f"variant {self.name!r}, converted by scheme {self.scheme!r}, strays from its Keras model. On "
                f"{self.verification}. {_advice(self.scheme)}"
            )

    @property
    def signed_score(self) -> float:
        """The file's score, its sign turned where a smaller one is better."""
        found = self.verification
        return found.score_tflite if found.higher_is_better else -found.score_tflite

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            **asdict(self),
            "verification": self.verification.to_json(),
            "inputs": [spec.to_json() for spec in self.inputs],
            "outputs": [spec.to_json() for spec in self.outputs],
            "sharing": self.sharing.to_json() if self.sharing else None,
            "plan": self.plan.to_json() if self.plan else None,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "VariantReport":
        """Read what `to_json` wrote."""
        sharing, plan = data.get("sharing"), data.get("plan")
        parts = {
            "verification": Verification.from_json(data["verification"]),
            "inputs": tuple(InputSpec.from_json(each) for each in data["inputs"]),
            "outputs": tuple(OutputSpec.from_json(each) for each in data["outputs"]),
            "sharing": sharing and Sharing.from_json(sharing),
            "plan": plan and VariantPlan.from_json(plan),
        }
        return cls(**{**data, **parts})


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export wrote; `print` shows it as a table.

    Attributes:
        path: The bundle.
        bundle_bytes: Its size.
        sha256: The SHA-256 of the whole bundle, in hexadecimal.
        variants: One report per rung, widest first.
        left_out: Names of the variants that are not in the bundle: those that stray from their Keras model, and the
            redundant ones.
        redundant: The variants that are hardly faster than another, or slower and no more accurate, each with the
            reason in words; none where `Checks.keep_all` says so.
    """

    path: str
    bundle_bytes: int
    sha256: str
    variants: tuple[VariantReport, ...]
    left_out: tuple[str, ...] = ()
    redundant: Mapping[str, str] = field(default_factory=dict)

    @property
    def dominated(self) -> dict[str, str]:
        """The packed variants that score no better than another of no more MACs, each with that other's name.

        MACs stand for the latency, which only a device tells: on most devices such a variant is never chosen.
        """
        packed = [each for each in self.variants if each.name not in self.left_out]

        def rank(variant: VariantReport) -> tuple[float, int]:
            return -variant.signed_score, variant.macs

        dominated: dict[str, str] = {}
        for place, variant in enumerate(packed):
            score, macs = rank(variant)
            for other_place, other in enumerate(packed):
                other_score, other_macs = rank(other)
                equal = (other_score, other_macs) == (score, macs)
                if (
                    other_score <= score
                    and other_macs <= macs
                    and (not equal or other_place < place)
                ):
                    dominated.setdefault(variant.name, other.name)
        return dominated

    def __str__(self) -> str:
        head = f"{'variant':<10}{'width':>7}{'params':>13}{'MACs':>15}{'bytes':>13}"
        lines = [head + f"{'Keras':>9}{'LiteRT':>9}{'same':>9}{'differs':>9}"]
        for variant in self.variants:
            found = variant.verification
            lines.append(
                f"{variant.name:<10}{variant.width:>7.3g}{variant.params:>13,}{variant.macs:>15,}"
                f"{variant.tflite_bytes:>13,}{found.score_keras:>9.4g}{found.score_tflite:>9.4g}"
                f"{_share(found.top1_agreement):>9}{found.mean_difference:>9.2g}"
            )
            if not found.passed:
                where = "not in the bundle" if variant.name in self.left_out else "kept as asked"
                lines.append(f"{variant.name:<10} strays ({where}): {'; '.join(found.reasons)}")
            elif found.note:
                lines.append(f"{variant.name:<10} {found.note}")
            if found.hint:
                lines.append(f"{variant.name:<10} {found.hint}")
        lines += [
            f"{name:<10} takes space for nothing where MACs decide the latency: {better} scores as well with no more"
            for name, better in self.dominated.items()
        ]
        lines += [
            f"{name:<10} left out: {reason}; keep_all=True (--keep-all) keeps it"
            for name, reason in self.redundant.items()
        ]
        return "\n".join([*lines, f"{self.path}: {self.bundle_bytes:,} bytes"])

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        variants = [variant.to_json() for variant in self.variants]
        return {**asdict(self), "variants": variants, "left_out": list(self.left_out)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ExportReport":
        """Read what `to_json` wrote."""
        variants = tuple(VariantReport.from_json(variant) for variant in data["variants"])
        return cls(**{**data, "variants": variants, "left_out": tuple(data["left_out"])})


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _advice(scheme: str) -> str:
    others = " or ".join(repr(name) for name in ("int16x8", "dynamic", "float32") if name != scheme)
    return (
        "Pass more or more typical samples=, scaled as the network was trained on them; recalibrate BatchNorm "
        f"before exporting; train longer; try scheme {others}; or accept it with a wider tolerance="
    )
