"""Cut every rung out, convert it, verify it, and keep it as variants/<name>.tflite."""

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from pipelines.stages import elastic, ladder
from pipelines.stages.base import Outcome, Run, Stage, StageError, some_images

if TYPE_CHECKING:
    import keras

    from tflite_export import Tolerance


def run(run: Run) -> Outcome:
    """Export the variants that an earlier try has not exported yet, widest first."""
    import keras

    import tfelastic as te

    net = keras.saving.load_model(run.path(elastic.FILE))
    plan = te.Ladder.from_json(json.loads(run.path(ladder.FILE).read_text(encoding="utf-8")))
    variants = []
    with run.reporter.bar(len(plan.rungs), "variants") as advance:
        for rung in plan.rungs:
            done = _begun(run, rung.name)
            if done is None:
                done = {"name": rung.name, "width": rung.width, **_export(run, net, rung.name)}
                run.workspace.save_json(_record(run, rung.name), done)
            variants.append(done)
            advance(len(variants), rung.name)
    return Outcome(
        "  ".join(f"{each['name']} {100 * each['accuracy_tflite']:.2f} %" for each in variants),
        files=tuple(tflite_file(each["name"]) for each in variants),
        results={"variants": variants},
    )


def tflite_file(name: str) -> str:
    """Return the name of a variant's file in the workspace."""
    return f"variants/{name}.tflite"


def _record(run: Run, name: str) -> str:
    return run.workspace.begun(STAGE.name, f"{name}.json")


def _begun(run: Run, name: str) -> dict[str, Any] | None:
    """Return what an earlier try found of this variant, if it got so far."""
    record = run.path(_record(run, name))
    if not record.exists() or not run.path(tflite_file(name)).exists():
        return None
    found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return found


def _export(run: Run, net: "keras.Model", name: str) -> dict[str, Any]:
    import tfelastic as te
    import tflite_export as tx

    spec, dataset, seed = run.recipe.export, run.dataset, run.recipe.seed
    model = net.cut(name)
    samples = some_images(dataset.train.images, spec.calibration, seed=seed)
    tflite = tx.convert(model, scheme=spec.scheme, samples=samples, seed=seed)
    tolerance = _scaled(tx.SCHEMES[spec.scheme].tolerance, spec.tolerance)
    found = tx.verify(model, tflite, dataset.test.images, dataset.test.labels, tolerance=tolerance)
    if not found.passed:
        raise StageError(
            f"variant {name} as {spec.scheme} strays too far from its Keras model: {found}; "
            "train longer, take more export.calibration images, or raise export.tolerance"
        )
    run.workspace.save_bytes(tflite_file(name), tflite)
    cost = te.cost(model)
    return {
        "params": cost.params,
        "macs": cost.macs,
        "tflite_bytes": len(tflite),
        "accuracy_keras": found.accuracy_keras,
        "accuracy_tflite": found.accuracy_tflite,
        "top1_agreement": found.top1_agreement,
    }


def _scaled(bounds: "Tolerance", factor: float) -> "Tolerance":
    return dataclasses.replace(
        bounds,
        mean_difference=factor * bounds.mean_difference,
        max_difference=factor * bounds.max_difference,
        top1_agreement=max(0.0, 1 - factor * (1 - bounds.top1_agreement)),
        accuracy_drop=factor * bounds.accuracy_drop,
    )


STAGE = Stage("export", run, needs=("tensorflow", "ai_edge_litert"))
