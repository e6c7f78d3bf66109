"""An elastic network in, one bundle out: every rung is cut, converted, verified and packed.

Narrower variants take the widest one's kernels (`quantize/kernel_sharing.py`), so the bundle holds each once.

A variant that strays from its Keras model stops the export, and no bundle is written. A caller that
must survive being killed exports rung by rung (`export_variant`), keeps each report and file, and packs
them in the end: `write_bundle(path, [report.packable(tflite), ...], name=...)`.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from tfelastic_runtime import VariantPlan

from tflite_export.bundle import Variant, write_bundle
from tflite_export.convert import convert
from tflite_export.errors import ConversionError, VerificationError
from tflite_export.options import ConversionOptions
from tflite_export.quantize.kernel_sharing import (
    ElasticNetwork,
    Sharing,
    share_kernels,
    shared_kernels,
)
from tflite_export.quantize.scheme import Tolerance, get_scheme
from tflite_export.runtimes import get_target, measure_arena
from tflite_export.verify import Verification, verify

if TYPE_CHECKING:
    import keras

    from tfelastic import Cost, Rung
    from tfelastic.plan import KeepPlan

STRIPPED = ConversionOptions(strip=True)
"""How an export converts unless it is asked otherwise: a bundle's variants need no names."""

Progress = Callable[[str, int, int], None]
"""Called as `progress(what, done, total)`."""


class Elastic(ElasticNetwork, Protocol):
    """What export asks of an elastic network; `tfelastic.ElasticModel` answers it."""

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
            score=self.verification.accuracy_tflite,
            scheme=self.scheme,
            tflite=tflite,
            plan=self.plan,
            peak_bytes=self.peak_bytes,
            arena_bytes=self.arena_bytes,
            metrics={"accuracy_keras": self.verification.accuracy_keras},
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
    options: ConversionOptions | None = None,
    *,
    samples: np.ndarray,
    test: Labelled,
    labels: Sequence[str] | None = None,
    variants_dir: str | os.PathLike[str] | None = None,
    tolerance: Tolerance | None = None,
    progress: Progress | None = None,
    **changes: Any,
) -> ExportReport:
    """Export every rung of an elastic network into one bundle.

    Args:
        net: The elastic network.
        path: The bundle to write, in an existing folder; its name without the suffix names the network.
        options: How to convert; `ConversionOptions(strip=True)` unless given.
        samples: Training images as raw pixels, `[count, height, width, channels]`, for calibration.
        test: Images and labels to verify every variant on.
        labels: One text per class, for the bundle.
        variants_dir: Folder that also gets each variant as `NAME.tflite`; none unless given.
        tolerance: Bounds to use instead of the scheme's.
        progress: Called as `progress(name, done, total)` after each variant.
        **changes: Fields of `ConversionOptions`, instead of or on top of `options`.

    Returns:
        What was written, with each variant's costs, size and verification.

    Raises:
        VerificationError: A variant strays from its Keras model by more than the tolerance.
        ConversionError: A rung cannot be converted.
        PackError: The variants cannot be packed.
        OSError: A file cannot be written.

    Example:
        >>> report = export(net, "model.elastic", samples=images, test=data.test)
    """
    from tfelastic.files import write_atomically

    options = replace(options or STRIPPED, **changes)
    reports, packables, widest = [], [], None
    for done, name in enumerate(net.names, start=1):
        report, tflite = export_variant(
            net, name, options, samples=samples, test=test, widest=widest, tolerance=tolerance
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
    options: ConversionOptions | None = None,
    *,
    samples: np.ndarray,
    test: Labelled,
    widest: bytes | None = None,
    tolerance: Tolerance | None = None,
    **changes: Any,
) -> tuple[VariantReport, bytes]:
    """Cut one rung out, convert it, give it the widest's kernels, and verify it on the test data.

    Args:
        net: The elastic network.
        name: The rung's name.
        options: How to convert; `ConversionOptions(strip=True)` unless given.
        samples: Training images as raw pixels, `[count, height, width, channels]`, for calibration.
        test: Images and labels to verify on.
        widest: The widest rung's .tflite, exported by the same scheme, whose kernels to share; without
            it the file keeps its own.
        tolerance: Bounds to use instead of the scheme's.
        **changes: Fields of `ConversionOptions`, instead of or on top of `options`.

    Returns:
        The report, and the .tflite file's bytes.

    Raises:
        VerificationError: The file strays from the Keras model by more than the tolerance.
        ConversionError: The rung cannot be converted.
    """
    from tfelastic import cost

    options = replace(options or STRIPPED, **changes)
    model, rung = net.cut(name), net.ladder.rung(name)
    tflite, sharing = convert(model, options, samples=samples), None
    if widest is not None:
        tflite, sharing = share_kernels(tflite, widest, shared_kernels(net, name))
    found = verify(
        model,
        tflite,
        test.images,
        test.labels,
        scheme=options.scheme,
        target=options.target,
        tolerance=tolerance,
    )
    if not found.passed:
        raise VerificationError(
            f"variant {name!r}, converted by scheme {options.scheme!r}, strays from its Keras model. On {found}. "
            "Pass more or more typical samples=, recalibrate BatchNorm before exporting, train longer, "
            "try scheme 'int16x8' or 'dynamic', or accept it with a wider tolerance="
        )
    return _report(rung, options, cost(model), tflite, found, sharing), tflite


def _report(
    rung: "Rung",
    options: ConversionOptions,
    spent: "Cost",
    tflite: bytes,
    found: Verification,
    sharing: Sharing | None,
) -> VariantReport:
    measured = measure_arena(tflite) if get_target(options.target).tflm else None
    return VariantReport(
        name=rung.name,
        width=rung.width,
        scheme=options.scheme,
        params=spent.params,
        macs=spent.macs,
        tflite_bytes=len(tflite),
        verification=found,
        sharing=sharing,
        plan=_variant_plan(rung.plan),
        peak_bytes=get_scheme(options.scheme).activation_bytes * spent.peak_bytes,
        arena_bytes=measured.arena_bytes if measured else None,
    )


def _variant_plan(plan: "KeepPlan") -> VariantPlan:
    """Return a plan as a bundle states it: a rung's units are the leading ones."""
    return VariantPlan({group: len(units) for group, units in plan.keep.items()}, plan.removed)
