"""Cut every rung out, convert it, verify it, and keep it as variants/<name>.tflite."""

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipelines.errors import StageError
from pipelines.experiments.elastic import joint_training
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage, data
from pipelines.stages.evaluation import some_images
from pipelines.stages.nets import load_net

if TYPE_CHECKING:
    from tfelastic import ElasticModel
    from tflite_export import Tolerance, VariantReport


@dataclass(frozen=True, kw_only=True)
class ExportedVariant(Record):
    """What an exported rung costs and reaches."""

    name: str
    width: float
    params: int
    macs: int
    tflite_bytes: int
    accuracy_keras: float
    accuracy_tflite: float
    top1_agreement: float | None


@dataclass(frozen=True)
class ExportedVariants(Record):
    """Every rung, widest first, and its `tflite_export.VariantReport` as plain data, which packing takes."""

    variants: tuple[ExportedVariant, ...]
    reports: tuple[dict[str, Any], ...]


def run(run: Run[ElasticRecipe]) -> Outcome[ExportedVariants]:
    """Export the variants that an earlier try has not exported yet, widest first."""
    net = load_net(run, joint_training.FILE)
    reports: list[VariantReport] = []
    with run.reporter.bar(len(net.names), "variants") as advance:
        for name in net.names:
            reports.append(_exported_earlier(run, name) or _export(run, net, name))
            advance(len(reports), name)
    variants = tuple(map(_figures, reports))
    return Outcome(
        "  ".join(f"{each.name} {100 * each.accuracy_tflite:.2f} %" for each in variants),
        ExportedVariants(variants, tuple(each.to_json() for each in reports)),
        files=tuple(tflite_file(each.name) for each in variants),
    )


def _figures(report: "VariantReport") -> ExportedVariant:
    verified = report.verification
    return ExportedVariant(
        name=report.name,
        width=report.width,
        params=report.params,
        macs=report.macs,
        tflite_bytes=report.tflite_bytes,
        accuracy_keras=verified.score_keras,
        accuracy_tflite=verified.score_tflite,
        top1_agreement=verified.top1_agreement,
    )


def tflite_file(name: str) -> str:
    """Return the name of a variant's file in the workspace."""
    return f"variants/{name}.tflite"


def _exported_earlier(run: Run[ElasticRecipe], name: str) -> "VariantReport | None":
    """Return what an earlier try found of this variant, if it got so far."""
    record = run.scratch_path(f"{name}.json")
    if not record.exists() or not run.path(tflite_file(name)).exists():
        return None
    from tflite_export import VariantReport

    found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return VariantReport.from_json(found)


def _export(run: Run[ElasticRecipe], net: "ElasticModel", name: str) -> "VariantReport":
    import tflite_export as tx

    spec, dataset, seed = run.recipe.export, run.dataset, run.recipe.seed
    widest = run.path(tflite_file(net.names[0]))
    try:
        report, tflite = tx.export_variant(
            net,
            name,
            samples=some_images(dataset.train.images, spec.calibration, seed=seed),
            test=dataset.test,
            widest=widest.read_bytes() if name != net.names[0] else None,
            scheme=spec.scheme,
            target=spec.target,
            per_channel_dense=spec.per_channel_dense,
            tolerance=scaled(tx.get_scheme(spec.scheme).tolerance, spec.tolerance),
            seed=seed,
        )
        report.require_agreement()
    except tx.VerificationError as error:
        raise StageError(
            f"{error}. In the recipe these are export.calibration, elastic.epochs, export.scheme "
            "and export.tolerance"
        ) from error
    run.workspace.save_bytes(tflite_file(name), tflite)
    run.workspace.save_json(run.scratch_path(f"{name}.json"), report.to_json())
    return report


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
    keys=("seed", "export"),
    stages=(data.STAGE, joint_training.STAGE),
    packages=("tensorflow", "ai_edge_litert"),
)
