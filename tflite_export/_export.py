"""An elastic network in, one bundle out: every rung is cut, converted, verified and packed.

Narrower variants take the widest one's kernels (`quantize/kernel_sharing.py`), so the bundle holds each once.

A variant that strays from its Keras model is reported and left out. A caller that
must survive being killed exports rung by rung (`export_variant`), keeps each report and file, and packs
them in the end: `write_bundle(path, [report.packable(tflite), ...], name=..., interface=interface_of(report))`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tfelastic_runtime import InputSpec, OutputSpec, ScoreSpec, VariantPlan

from tflite_export._convert import convert
from tflite_export._verify import check_test, kinds_of, metric_for, verify
from tflite_export.bundle import Interface, Variant, write_bundle
from tflite_export.errors import (
    CalibrationError,
    ConversionError,
    PackError,
    VerificationError,
)
from tflite_export.keras_models import Arrays, Signature
from tflite_export.options import ConversionOptions
from tflite_export.quantize.calibration import takes_images
from tflite_export.quantize.kernel_sharing import (
    ElasticNetwork,
    Sharing,
    share_kernels,
    shared_kernels,
)
from tflite_export.quantize.scheme import Tolerance, get_scheme
from tflite_export.runtimes import get_target, measure_arena
from tflite_export.verification import Verification

if TYPE_CHECKING:
    import keras

    from tfelastic._plan import KeepPlan
    from tfelastic.metrics import MetricLike

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
    """Test data: samples and what the model should return; `inputs` and `targets` are taken as well."""

    @property
    def images(self) -> Any:
        """Samples as `verify` takes them."""

    @property
    def labels(self) -> Any:
        """Labels as `verify` takes them."""


Labels = Sequence[str] | Mapping[str, Sequence[str]] | None


@dataclass(frozen=True, kw_only=True)
class Checks:
    """How an exported variant is judged.

    Attributes:
        tolerance: Bounds to use instead of the scheme's.
        metric: What to score by, as `tfelastic.metric_of` takes it; what that finds for the network, by the loss that
            it was compiled with, unless given.
        strays: What becomes of a variant that strays from its Keras model: it is left out of the bundle and
            reported (`"leave out"`), kept and reported (`"keep"`), or ends the export (`"stop"`).
    """

    tolerance: Tolerance | None = None
    metric: "MetricLike | None" = None
    strays: Literal["leave out", "keep", "stop"] = "leave out"


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
        left_out: Names of the variants that stray from their Keras model and are not in the bundle.
    """

    path: str
    bundle_bytes: int
    sha256: str
    variants: tuple[VariantReport, ...]
    left_out: tuple[str, ...] = ()

    @property
    def dominated(self) -> dict[str, str]:
        """The packed variants that score no better than another of no more MACs, each with that other's name.

        MACs stand for the latency, which only a device tells: on most devices such a variant is never chosen.
        """
        packed = [each for each in self.variants if each.name not in self.left_out]

        def rank(variant: VariantReport) -> tuple[float, int]:
            found = variant.verification
            return (
                -found.score_tflite if found.higher_is_better else found.score_tflite
            ), variant.macs

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
        lines += [
            f"{name:<10} takes space for nothing where MACs decide the latency: {better} scores as well with no more"
            for name, better in self.dominated.items()
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


def export(
    net: Elastic,
    path: str | os.PathLike[str],
    options: ConversionOptions | None = None,
    *,
    samples: Arrays,
    test: Labelled,
    labels: Labels = None,
    variants_dir: str | os.PathLike[str] | None = None,
    checks: Checks | None = None,
    progress: Progress | None = None,
    **changes: Any,
) -> ExportReport:
    """Export every rung of an elastic network into one bundle.

    Args:
        net: The elastic network.
        path: The bundle to write, in an existing folder; its name without the suffix names the network.
        options: How to convert; `ConversionOptions(strip=True)` unless given.
        samples: Training samples as `convert` takes them, for calibration.
        test: What to verify every variant on.
        labels: One text per class, for the bundle; of several outputs a dict by name.
        variants_dir: Folder that also gets each variant as `NAME.tflite`; none unless given.
        checks: How a variant is judged, and what becomes of one that strays: it is left out of the bundle unless
            said otherwise.
        progress: Called as `progress(name, done, total)` after each variant.
        **changes: Fields of `ConversionOptions` or `Checks`, instead of or on top of those given.

    Returns:
        What was written, with each variant's costs, size and verification.

    Raises:
        VerificationError: Every variant strays from its Keras model by more than the tolerance, or one does and
            `strays="stop"`.
        ConversionError: A rung cannot be converted.
        PackError: The variants cannot be packed.
        OSError: A file cannot be written.

    Examples:
        >>> report = export(net, "model.elastic", samples=images, test=data.test)
    """
    from tfelastic.files import write_atomically

    checks, options = _divided(checks, options, changes)
    _check_labels(net, labels)
    reports, packables, widest = [], [], None
    for done, name in enumerate(net.names, start=1):
        report, tflite = export_variant(
            net, name, options, samples=samples, test=test, widest=widest, checks=checks
        )
        if checks.strays == "stop":
            report.require_agreement()
        widest = widest or tflite
        if variants_dir is not None:
            Path(variants_dir).mkdir(parents=True, exist_ok=True)
            write_atomically(Path(variants_dir) / f"{name}.tflite", tflite)
        reports.append(report)
        if report.verification.passed or checks.strays == "keep":
            packables.append(report.packable(tflite))
        if progress is not None:
            progress(name, done, len(net.names))
    if not packables:
        reports[0].require_agreement()
    interface = interface_of(reports[0], labels=labels)
    written = write_bundle(path, packables, name=Path(path).stem, interface=interface)
    packed = {variant.name for variant in packables}
    return ExportReport(
        path=str(path),
        bundle_bytes=written.bundle_bytes,
        sha256=written.sha256,
        variants=tuple(reports),
        left_out=tuple(report.name for report in reports if report.name not in packed),
    )


def export_variant(
    net: Elastic,
    name: str,
    options: ConversionOptions | None = None,
    *,
    samples: Arrays,
    test: Labelled,
    widest: bytes | None = None,
    checks: Checks | None = None,
    **changes: Any,
) -> tuple[VariantReport, bytes]:
    """Cut one rung out, convert it, give it the widest's kernels, and verify it on the test data.

    Args:
        net: The elastic network.
        name: The rung's name.
        options: How to convert; `ConversionOptions(strip=True)` unless given.
        samples: Training samples as `convert` takes them, for calibration.
        test: What to verify on.
        widest: The widest rung's .tflite, exported by the same scheme, whose kernels to share; without
            it the file keeps its own.
        checks: How it is judged.
        **changes: Fields of `ConversionOptions` or `Checks`, instead of or on top of those given.

    Returns:
        The report, and the .tflite file's bytes. A file that strays from its Keras model does not raise here:
        `report.verification.passed` says so, and `report.require_agreement()` raises.

    Raises:
        ConversionError: The rung cannot be converted.
        VerificationError: Nothing can be compared.
    """
    from tfelastic import cost

    checks, options = _divided(checks, options, changes)
    model, rung = net.cut(name), net.ladder.rung(name)
    inputs, targets = _test_data(test)
    # A rung cut out is not compiled: the loss, which says what its outputs are for, is the network's.
    metric = metric_for(net, targets, checks.metric)
    check_test(model, inputs, targets, metric)
    tflite, sharing = convert(model, options, samples=samples), None
    if widest is not None:
        tflite, sharing = share_kernels(tflite, widest, shared_kernels(net, name))
    found = verify(
        model,
        tflite,
        inputs,
        targets,
        scheme=options.scheme,
        target=options.target,
        tolerance=checks.tolerance,
        metric=metric,
    )
    signature, spent = Signature.of(model), cost(model)
    measured = measure_arena(tflite) if get_target(options.target).tflm else None
    report = VariantReport(
        name=name,
        width=rung.width,
        scheme=options.scheme,
        params=spent.params,
        macs=spent.macs,
        tflite_bytes=len(tflite),
        verification=found,
        inputs=_input_specs(signature, samples),
        outputs=_output_specs(model, signature, found),
        sharing=sharing,
        plan=_variant_plan(rung.plan),
        peak_bytes=get_scheme(options.scheme).activation_bytes * spent.peak_bytes,
        arena_bytes=measured.arena_bytes if measured else None,
    )
    return report, tflite


def interface_of(report: VariantReport, *, labels: Labels = None) -> Interface:
    """Return the interface of the bundle that a variant goes into, for `write_bundle`.

    Args:
        report: Any variant's.
        labels: One text per class; of several outputs a dict by name.

    Raises:
        PackError: There is no output of a name in `labels`, or there are labels but several outputs.
    """
    found = _by_output(labels, [spec.name for spec in report.outputs])
    return Interface(
        inputs=report.inputs,
        outputs=tuple(replace(spec, labels=found.get(spec.name)) for spec in report.outputs),
        score=ScoreSpec(report.verification.metric, report.verification.higher_is_better),
    )


def _by_output(labels: Labels, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the names of classes by output."""
    if labels is not None and not isinstance(labels, Mapping):
        if len(names) > 1:
            raise PackError(f"labels of several outputs are a dict by name: {', '.join(names)}")
        labels = {names[0]: labels}
    if unknown := sorted(set(labels or ()) - set(names)):
        raise PackError(f"labels: no output {unknown[0]!r}; there are {', '.join(names)}")
    return {name: tuple(texts) for name, texts in (labels or {}).items()}


def _check_labels(net: Elastic, labels: Labels) -> None:
    """Check names of classes before anything is converted."""
    ports = {port.name: port for port in Signature.of(net.cut(net.names[0])).outputs}
    for name, texts in _by_output(labels, list(ports)).items():
        shape = ports[name].shape
        if len(texts) != shape[-1]:
            raise PackError(
                f"{len(texts)} labels were given for output {name!r}, which gives {shape[-1]} values"
            )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _divided(
    checks: Checks | None, options: ConversionOptions | None, changes: dict[str, Any]
) -> tuple[Checks, ConversionOptions]:
    """Return checks and options with the changes that belong to each."""
    of_checks = {name: changes.pop(name) for name in Checks.__dataclass_fields__ if name in changes}
    return replace(checks or Checks(), **of_checks), replace(options or STRIPPED, **changes)


def _test_data(test: Any) -> tuple[Any, Any]:
    if hasattr(test, "inputs"):
        return test.inputs, test.targets
    return test.images, test.labels


def _input_specs(signature: Signature, samples: Arrays) -> tuple[InputSpec, ...]:
    arrays = signature.arrays(samples, error=CalibrationError, what="calibration samples")
    images = takes_images(signature, arrays)
    return tuple(
        InputSpec(port.name, (1, *port.shape), "image" if image else "values")
        for port, image in zip(signature.inputs, images, strict=True)
    )


def _output_specs(
    model: "keras.Model", signature: Signature, found: Verification
) -> tuple[OutputSpec, ...]:
    specs = []
    for port, kind, each in zip(signature.outputs, kinds_of(model), found.outputs, strict=True):
        probabilities = kind in ("distribution", "fraction")
        meaning = "probabilities" if probabilities else "logits"
        shape = (1, *port.shape)
        specs.append(OutputSpec(port.name, shape, "values" if each.agreement is None else meaning))
    return tuple(specs)


def _advice(scheme: str) -> str:
    others = " or ".join(repr(name) for name in ("int16x8", "dynamic", "float32") if name != scheme)
    return (
        "Pass more or more typical samples=, scaled as the network was trained on them; recalibrate BatchNorm "
        f"before exporting; train longer; try scheme {others}; or accept it with a wider tolerance="
    )


def _variant_plan(plan: "KeepPlan") -> VariantPlan:
    """Return a plan as a bundle states it: a rung's units are the leading ones."""
    return VariantPlan({group: len(units) for group, units in plan.keep.items()}, plan.removed)
