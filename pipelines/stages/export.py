"""Cut every rung out, convert it, verify it, and keep it as variants/<name>.tflite."""

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from pipelines.stages import elastic
from pipelines.stages.base import Outcome, Run, Stage, StageError, some_images

if TYPE_CHECKING:
    from tfelastic import ElasticModel
    from tflite_export import Tolerance, VariantReport


def run(run: Run) -> Outcome:
    """Export the variants that an earlier try has not exported yet, widest first."""
    import keras

    import tfelastic as te  # noqa: F401 (registers ElasticModel for loading)

    net = keras.saving.load_model(run.path(elastic.FILE))
    reports: list[VariantReport] = []
    with run.reporter.bar(len(net.names), "variants") as advance:
        for name in net.names:
            reports.append(_begun(run, name) or _export(run, net, name))
            advance(len(reports), name)
    reached = (f"{each.name} {100 * each.verification.accuracy_tflite:.2f} %" for each in reports)
    return Outcome(
        "  ".join(reached),
        files=tuple(tflite_file(each.name) for each in reports),
        results={"variants": [each.to_json() for each in reports]},
    )


def tflite_file(name: str) -> str:
    """Return the name of a variant's file in the workspace."""
    return f"variants/{name}.tflite"


def _record(run: Run, name: str) -> str:
    return run.workspace.begun(STAGE.name, f"{name}.json")


def _begun(run: Run, name: str) -> "VariantReport | None":
    """Return what an earlier try found of this variant, if it got so far."""
    from tflite_export import VariantReport

    record = run.path(_record(run, name))
    if not record.exists() or not run.path(tflite_file(name)).exists():
        return None
    found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return VariantReport.from_json(found)


def _export(run: Run, net: "ElasticModel", name: str) -> "VariantReport":
    import tflite_export as tx
    from tflite_export import get_scheme

    spec, dataset, seed = run.recipe.export, run.dataset, run.recipe.seed
    try:
        report, tflite = tx.export_variant(
            net,
            name,
            samples=some_images(dataset.train.images, spec.calibration, seed=seed),
            test=dataset.test,
            widest=_widest(run, net) if name != net.names[0] else None,
            scheme=spec.scheme,
            target=spec.target,
            per_channel_dense=spec.per_channel_dense,
            tolerance=scaled(get_scheme(spec.scheme).tolerance, spec.tolerance),
            seed=seed,
        )
    except tx.VerificationError as error:
        raise StageError(
            f"{error}. In the recipe these are export.calibration, elastic.epochs, export.scheme "
            "and export.tolerance"
        ) from error
    run.workspace.save_bytes(tflite_file(name), tflite)
    run.workspace.save_json(_record(run, name), report.to_json())
    return report


def _widest(run: Run, net: "ElasticModel") -> bytes:
    return run.path(tflite_file(net.names[0])).read_bytes()


def scaled(bounds: "Tolerance", factor: float) -> "Tolerance":
    """Return bounds so many times as wide."""
    return dataclasses.replace(
        bounds,
        mean_difference=factor * bounds.mean_difference,
        max_difference=factor * bounds.max_difference,
        top1_agreement=max(0.0, 1 - factor * (1 - bounds.top1_agreement)),
        accuracy_drop=factor * bounds.accuracy_drop,
    )


STAGE = Stage("export", run, needs=("tensorflow", "ai_edge_litert"))
