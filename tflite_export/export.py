"""An elastic network in, one bundle out: every rung is cut, converted, verified and packed.

Narrower variants take the widest one's kernels (`quantize/sharing.py`), so the bundle holds each once.

A variant that strays from its Keras model stops the export, and no bundle is written. A caller that
must survive being killed exports rung by rung (`export_variant`), keeps each report and file, and packs
them in the end: `write_bundle(path, [report.packable(tflite), ...], name=...)`.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Unpack

import numpy as np
from tfelastic_runtime import VariantPlan

from tfelastic.files import write_atomically
from tflite_export.bundle import Variant, write_bundle
from tflite_export.convert import Conversion, convert
from tflite_export.errors import ConversionError, VerificationError
from tflite_export.profile.tflm import measure_arena
from tflite_export.quantize.scheme import Tolerance
from tflite_export.quantize.sharing import Sharing, share, shared_kernels
from tflite_export.verify import Verification, verify

if TYPE_CHECKING:
    import keras

    from tfelastic import Ladder, LayerGraph
    from tfelastic.plan import KeepPlan

# Bytes of one activation, by what the scheme's name begins with.
_ACTIVATION_BYTES = {"int8": 1, "int16": 2, "float": 4, "dynamic": 4}

Progress = Callable[[str, int, int], None]
"""Called as `progress(what, done, total)`."""


class Elastic(Protocol):
    """What export asks of an elastic network; `tfelastic.ElasticModel` answers it."""

    @property
    def graph(self) -> "LayerGraph":
        """The widest rung's graph."""

    @property
    def ladder(self) -> "Ladder":
        """The rungs, as they look from the widest."""

    @property
    def names(self) -> tuple[str, ...]:
        """The rungs' names, widest first."""

    def cut(self, name: str) -> "keras.Model":
        """Return one rung as a stand-alone model."""


class Labelled(Protocol):
    """Test data: images of raw pixels `[count, height, width, channels]` and their classes `[count]`."""

    @property
    def images(self) -> np.ndarray:
        """uint8 `[count, height, width, channels]`."""

    @property
    def labels(self) -> np.ndarray:
        """Classes, `[count]`."""


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
            accuracy=self.verification.accuracy_tflite,
            scheme=self.scheme,
            tflite=tflite,
            plan=self.plan,
            peak_bytes=self.peak_bytes,
            arena_bytes=self.arena_bytes,
            accuracies={"keras": self.verification.accuracy_keras},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            **asdict(self),
            "verification": self.verification.to_json(),
            "sharing": self.sharing.to_json() if self.sharing else None,
            "plan": self.plan.to_json() if self.plan else None,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "VariantReport":
        """Read what `to_json` wrote."""
        sharing, plan = data.get("sharing"), data.get("plan")
        parts = {
            "verification": Verification.from_json(data["verification"]),
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
    """

    path: str
    bundle_bytes: int
    sha256: str
    variants: tuple[VariantReport, ...]

    def __str__(self) -> str:
        head = f"{'variant':<10}{'width':>7}{'params':>13}{'MACs':>15}{'bytes':>13}"
        lines = [head + f"{'Keras':>9}{'LiteRT':>9}{'same':>9}{'differs':>9}"]
        for variant in self.variants:
            found = variant.verification
            lines.append(
                f"{variant.name:<10}{variant.width:>7.3g}{variant.params:>13,}{variant.macs:>15,}"
                f"{variant.tflite_bytes:>13,}{found.accuracy_keras:>9.2%}{found.accuracy_tflite:>9.2%}"
                f"{found.top1_agreement:>9.2%}{found.mean_difference:>9.2g}"
            )
        return "\n".join([*lines, f"{self.path}: {self.bundle_bytes:,} bytes"])

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {**asdict(self), "variants": [variant.to_json() for variant in self.variants]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ExportReport":
        """Read what `to_json` wrote."""
        variants = tuple(VariantReport.from_json(variant) for variant in data["variants"])
        return cls(**{**data, "variants": variants})


def export(
    net: Elastic,
    path: str | os.PathLike[str],
    *,
    samples: np.ndarray,
    test: Labelled,
    labels: Sequence[str] | None = None,
    variants_dir: str | os.PathLike[str] | None = None,
    tolerance: Tolerance | None = None,
    progress: Progress | None = None,
    **options: Unpack[Conversion],
) -> ExportReport:
    """Export every rung of an elastic network into one bundle.

    Args:
        net: The elastic network.
        path: The bundle to write, in an existing folder; its name without the suffix names the network.
        samples: Training images as raw pixels, `[count, height, width, channels]`, for calibration.
        test: Images and labels to verify every variant on.
        labels: One text per class, for the bundle.
        variants_dir: Folder that also gets each variant as `NAME.tflite`; none unless given.
        tolerance: Bounds to use instead of the scheme's.
        progress: Called as `progress(name, done, total)` after each variant.
        **options: How to convert, as `convert` takes it; names are stripped unless `strip=False`.

    Returns:
        What was written, with each variant's costs, size and verification.

    Raises:
        VerificationError: A variant strays from its Keras model by more than the tolerance.
        ConversionError: A rung cannot be converted.
        PackError: The variants cannot be packed.
        OSError: A file cannot be written.

    Example:
        >>> report = export(net, "model.elastic", samples=images, test=data.test)  # doctest: +SKIP
    """
    reports, packables, widest = [], [], None
    for done, name in enumerate(net.names, start=1):
        report, tflite = export_variant(
            net,
            name,
            samples=samples,
            test=test,
            widest=widest,
            tolerance=tolerance,
            **options,
        )
        widest = widest or tflite
        if variants_dir is not None:
            Path(variants_dir).mkdir(parents=True, exist_ok=True)
            write_atomically(Path(variants_dir) / f"{name}.tflite", tflite)
        reports.append(report)
        packables.append(report.packable(tflite))
        if progress is not None:
            progress(name, done, len(net.names))
    written = write_bundle(path, packables, name=Path(path).stem, labels=labels)
    return ExportReport(
        path=str(path),
        bundle_bytes=written.bundle_bytes,
        sha256=written.sha256,
        variants=tuple(reports),
    )


def export_variant(
    net: Elastic,
    name: str,
    *,
    samples: np.ndarray,
    test: Labelled,
    widest: bytes | None = None,
    tolerance: Tolerance | None = None,
    **options: Unpack[Conversion],
) -> tuple[VariantReport, bytes]:
    """Cut one rung out, convert it, give it the widest's kernels, and verify it on the test data.

    Args:
        net: The elastic network.
        name: The rung's name.
        samples: Training images as raw pixels, `[count, height, width, channels]`, for calibration.
        test: Images and labels to verify on.
        widest: The widest rung's .tflite, exported by the same scheme, whose kernels to share; without
            it the file keeps its own.
        tolerance: Bounds to use instead of the scheme's.
        **options: How to convert, as `convert` takes it; names are stripped unless `strip=False`.

    Returns:
        The report, and the .tflite file's bytes.

    Raises:
        VerificationError: The file strays from the Keras model by more than the tolerance.
        ConversionError: The rung cannot be converted.
    """
    from tfelastic import cost

    model = net.cut(name)
    scheme, target = options.get("scheme", "int8"), options.get("target", "phone")
    stripped: Conversion = {"strip": True, **options}
    tflite, sharing = convert(model, samples=samples, **stripped), None
    if widest is not None:
        tflite, sharing = share(tflite, widest, shared_kernels(net, name))
    found = verify(
        model,
        tflite,
        test.images,
        test.labels,
        scheme=scheme,
        target=target,
        tolerance=tolerance,
    )
    if not found.passed:
        raise VerificationError(
            f"variant {name!r}, converted by scheme {scheme!r}, strays from its Keras model. On {found}. "
            "Pass more or more typical samples=, recalibrate BatchNorm before exporting, train longer, "
            "try scheme 'int16x8' or 'dynamic', or accept it with a wider tolerance="
        )
    spent = cost(model)
    report = VariantReport(
        name=name,
        width=net.ladder.rung(name).width,
        scheme=scheme,
        params=spent.params,
        macs=spent.macs,
        tflite_bytes=len(tflite),
        verification=found,
        sharing=sharing,
        plan=_told(net.ladder.rung(name).plan),
        peak_bytes=next(
            size * spent.peak_bytes
            for begin, size in _ACTIVATION_BYTES.items()
            if scheme.startswith(begin)
        ),
        arena_bytes=measure_arena(tflite).arena_bytes if target == "tflm" else None,
    )
    return report, tflite


def _told(plan: "KeepPlan") -> VariantPlan:
    """Return a plan as a bundle tells it: a rung's units are the leading ones."""
    return VariantPlan({group: len(units) for group, units in plan.keep.items()}, plan.removed)
