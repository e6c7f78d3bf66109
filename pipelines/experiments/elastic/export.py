"""Cut every rung out, convert it, verify it, and keep it as variants/<name>.tflite."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipelines.errors import RecordError, StageError
from pipelines.experiments.elastic import joint_training
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.records import Record, read_json
from pipelines.stages import Outcome, Run, Stage, baseline, data
from pipelines.stages.evaluation import some_examples
from pipelines.stages.nets import load_net
from pipelines.stages.task import TASK_KEYS, task_of
from pipelines.workspace import digest_of_file

if TYPE_CHECKING:
    from tfelastic import ElasticModel, Metric
    from tflite_export import ConversionOptions, Tolerance, VariantReport


@dataclass(frozen=True, kw_only=True)
class ExportedVariant(Record):
    """What an exported rung costs and reaches; `strays` says how it strays from its Keras model, where it does."""

    name: str
    width: float
    params: int
    macs: int
    tflite_bytes: int
    score_keras: float
    score_tflite: float
    top1_agreement: float | None
    strays: str


@dataclass(frozen=True)
class ExportedVariants(Record):
    """Every rung, widest first, and its `tflite_export.VariantReport` as plain data, which packing takes.

    `packed` are the names of those that go into the bundle.
    """

    variants: tuple[ExportedVariant, ...]
    reports: tuple[dict[str, Any], ...]
    packed: tuple[str, ...]


def run(run: Run[ElasticRecipe]) -> Outcome[ExportedVariants]:
    """Export the variants that an earlier try has not exported yet, widest first.

    Raises:
        StageError: Every variant strays from its Keras model, or one does and the recipe says to stop.
    """
    net = load_net(run, joint_training.FILE)
    metric = task_of(run, baseline.load(run)).metric
    reports: list[VariantReport] = []
    with run.reporter.bar(len(net.names), "variants") as advance:
        for name in net.names:
            found = _exported_earlier(run, name) or _export(run, net, name, metric)
            if run.recipe.export.strays == "stop":
                _require_agreement(found)
            reports.append(found)
            advance(len(reports), name)
    packed = _packed(run, reports)
    variants = tuple(map(_figures, reports))
    shown = run.result(baseline.STAGE).metric
    left_out = [each.name for each in variants if each.name not in packed]
    rest = f"; left out: {', '.join(left_out)}" if left_out else ""
    return Outcome(
        f"{shown.title}: "
        + "  ".join(f"{each.name} {shown.show(each.score_tflite)}" for each in variants)
        + rest,
        ExportedVariants(variants, tuple(each.to_json() for each in reports), packed),
        files=tuple(tflite_file(each.name) for each in variants),
    )


def _packed(run: Run[ElasticRecipe], reports: "list[VariantReport]") -> tuple[str, ...]:
    """Return the names of the variants that go into the bundle, and say which stray."""
    kept = run.recipe.export.strays == "keep"
    for report in reports:
        found = report.verification
        if found.hint:
            run.reporter.say(f"warning: {report.name}: {found.hint}")
        if not found.passed:
            what = "kept" if kept else "left out of the bundle"
            reasons = "; ".join(found.reasons)
            run.reporter.say(
                f"warning: {report.name} strays from its Keras model and is {what}: {reasons}"
            )
        elif found.note:
            run.reporter.say(f"{report.name}: {found.note}")
    packed = tuple(report.name for report in reports if kept or report.verification.passed)
    if not packed:
        _require_agreement(reports[0])
    return packed


def _figures(report: "VariantReport") -> ExportedVariant:
    verified = report.verification
    return ExportedVariant(
        name=report.name,
        width=report.width,
        params=report.params,
        macs=report.macs,
        tflite_bytes=report.tflite_bytes,
        score_keras=verified.score_keras,
        score_tflite=verified.score_tflite,
        top1_agreement=verified.top1_agreement,
        strays="; ".join(verified.reasons),
    )


def tflite_file(name: str) -> str:
    """Return the name of a variant's file in the workspace."""
    return f"variants/{name}.tflite"


def _exported_earlier(run: Run[ElasticRecipe], name: str) -> "VariantReport | None":
    """Return what an earlier try found of this variant, if it got so far and both its files are as it left them."""
    file = run.path(tflite_file(name))
    try:
        kept = read_json(run.scratch_path(f"{name}.json"))
    except RecordError:
        return None
    if not file.is_file() or digest_of_file(file) != kept["sha256"]:
        return None
    from tflite_export import VariantReport

    return VariantReport.from_json(kept["report"])


def _export(
    run: Run[ElasticRecipe], net: "ElasticModel", name: str, metric: "Metric"
) -> "VariantReport":
    import tflite_export as tx

    spec, dataset, seed = run.recipe.export, run.dataset, run.recipe.seed
    widest = run.path(tflite_file(net.names[0]))
    report, tflite = tx.export_variant(
        net,
        name,
        options(run.recipe),
        samples=some_examples(dataset.train, spec.calibration, seed=seed),
        test=dataset.test,
        widest=widest.read_bytes() if name != net.names[0] else None,
        tolerance=scaled(tx.get_scheme(spec.scheme).tolerance, spec.tolerance),
        metric=metric,
    )
    file = run.workspace.save_bytes(tflite_file(name), tflite)
    kept = {"sha256": digest_of_file(file), "report": report.to_json()}
    run.workspace.save_json(run.scratch_path(f"{name}.json"), kept)
    return report


def options(recipe: ElasticRecipe) -> "ConversionOptions":
    """Return how the recipe converts.

    Raises:
        SchemeError: The scheme is unknown, or has no inputs or outputs of the types that are asked for.
    """
    import tflite_export as tx

    spec = recipe.export
    return tx.ConversionOptions(
        scheme=spec.scheme,
        target=spec.target,
        per_channel_dense=spec.per_channel_dense,
        input_type=spec.input_type,
        output_type=spec.output_type,
        raw_pixels=spec.raw_pixels,
        strip=True,
        seed=recipe.seed,
    )


def _require_agreement(report: "VariantReport") -> None:
    import tflite_export as tx

    try:
        report.require_agreement()
    except tx.VerificationError as error:
        raise StageError(
            f"{error}. In the recipe these are export.calibration, elastic.epochs, export.scheme, export.tolerance "
            "and export.strays"
        ) from error


def scaled(bounds: "Tolerance", factor: float) -> "Tolerance":
    """Return bounds so many times as wide."""
    return replace(
        bounds,
        mean_difference=factor * bounds.mean_difference,
        max_difference=factor * bounds.max_difference,
        top1_agreement=max(0.0, 1 - factor * (1 - bounds.top1_agreement)),
        score_loss=factor * bounds.score_loss,
        relative_loss=factor * bounds.relative_loss,
    )


STAGE = Stage(
    "export",
    run,
    ExportedVariants,
    keys=("seed", "export", *TASK_KEYS),
    stages=(data.STAGE, baseline.STAGE, joint_training.STAGE),
    packages=("tensorflow", "ai_edge_litert"),
)
