"""An elastic network in, one bundle out: every rung is cut, converted, verified and packed.

Narrower variants take the widest one's kernels (`quantize/kernel_sharing.py`), so the bundle holds each once.

A variant that strays from its Keras model is reported and left out. A caller that
must survive being killed exports rung by rung (`export_variant`), keeps each report and file, and packs
them in the end: `write_bundle(path, [report.packable(tflite), ...], name=..., interface=interface_of(report))`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tfelastic_runtime import InputSpec, OutputSpec, ScoreSpec, VariantPlan

from tflite_export._convert import convert
from tflite_export._profile import TimedVariant, redundant, time_in_turns
from tflite_export._verify import check_test, kinds_of, metric_for, verify
from tflite_export.bundle import Interface, write_bundle
from tflite_export.errors import CalibrationError, PackError, VerificationError
from tflite_export.export_report import ExportReport, VariantReport
from tflite_export.input_scaling import scaling_hint
from tflite_export.keras_models import Arrays, Signature
from tflite_export.options import ConversionOptions
from tflite_export.quantize.calibration import takes_images
from tflite_export.quantize.kernel_sharing import ElasticNetwork, share_kernels, shared_kernels
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
        keep_all: Whether a variant is packed that is hardly faster than another, or slower and no more accurate.
            Otherwise all are timed on this machine, which takes seconds, and those are left out and reported; for a
            target other than a phone, of which this machine's latencies say nothing, all are kept.
    """

    tolerance: Tolerance | None = None
    metric: "MetricLike | None" = None
    strays: Literal["leave out", "keep", "stop"] = "leave out"
    keep_all: bool = True


def export(
    net: Elastic,
    path: str | os.PathLike[str],
    options: ConversionOptions | None = None,
    *,
    samples: Arrays,
    test: Labelled,
    labels: Labels = None,
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
        checks: How a variant is judged, and what becomes of one that strays: it is left out of the bundle unless
            said otherwise.
        progress: Called as `progress(name, done, total)` after each variant.
        **changes: Fields of `ConversionOptions` or `Checks`, instead of or on top of those given.

    Returns:
        What was written, with each variant's costs, size and verification. `tfelastic unpack` writes the variants of
        a bundle as .tflite files.

    Raises:
        VerificationError: Every variant strays from its Keras model by more than the tolerance, or one does and
            `strays="stop"`.
        ConversionError: A rung cannot be converted.
        PackError: The variants cannot be packed.
        OSError: A file cannot be written.

    Examples:
        >>> report = export(net, "model.elastic", samples=images, test=data.test)
    """
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
        reports.append(report)
        if report.verification.passed or checks.strays == "keep":
            packables.append(report.packable(tflite))
        if progress is not None:
            progress(name, done, len(net.names))
    if not packables:
        reports[0].require_agreement()
    reasons: dict[str, str] = {}
    if not checks.keep_all and not get_target(options.target).tflm:
        files = {each.name: each.tflite for each in packables}
        reasons = redundant_variants(reports, files)
        packables = [each for each in packables if each.name not in reasons]
    interface = interface_of(reports[0], labels=labels)
    written = write_bundle(path, packables, name=Path(path).stem, interface=interface)
    packed = {variant.name for variant in packables}
    return ExportReport(
        path=str(path),
        bundle_bytes=written.bundle_bytes,
        sha256=written.sha256,
        variants=tuple(reports),
        left_out=tuple(report.name for report in reports if report.name not in packed),
        redundant=reasons,
    )


def redundant_variants(
    reports: Sequence[VariantReport],
    files: Mapping[str, bytes],
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Time exported variants on this machine, and return those that are not worth their space.

    Args:
        reports: What became of the rungs.
        files: The .tflite files of the variants to compare, by name.
        threads: Threads that one inference may use.
        progress: Called as `progress("time", done, total)` after each round.

    Returns:
        For each variant that is hardly faster than another, or slower and no more accurate, the reason in words.
    """
    if len(files) < 2:
        return {}
    turns_us = time_in_turns(files, threads=threads, progress=progress)
    scores = {report.name: report.signed_score for report in reports}
    return redundant([TimedVariant(name, scores[name], turns_us[name]) for name in files])


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
    # Rungs take what the widest one takes.
    hint = "" if widest is not None else scaling_hint(model, inputs, targets, metric)
    try:
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
    except VerificationError as cause:
        raise VerificationError(f"{cause}; {hint}" if hint else str(cause)) from cause
    signature, spent = Signature.of(model), cost(model)
    measured = measure_arena(tflite) if get_target(options.target).tflm else None
    report = VariantReport(
        name=name,
        width=rung.width,
        scheme=options.scheme,
        params=spent.params,
        macs=spent.macs,
        tflite_bytes=len(tflite),
        verification=replace(found, hint=hint),
        inputs=_input_specs(signature, samples, options.raw_pixels),
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


def _input_specs(
    signature: Signature, samples: Arrays, raw_pixels: bool | None
) -> tuple[InputSpec, ...]:
    arrays = signature.arrays(samples, error=CalibrationError, what="calibration samples")
    images = takes_images(signature, arrays, raw_pixels=raw_pixels)
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


def _variant_plan(plan: "KeepPlan") -> VariantPlan:
    """Return a plan as a bundle states it: a rung's units are the leading ones."""
    return VariantPlan({group: len(units) for group, units in plan.keep.items()}, plan.removed)
