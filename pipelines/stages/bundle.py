"""Pack the variants into one file for the device."""

from typing import Any

from pipelines.stages import export
from pipelines.stages.base import Outcome, Run, Stage

FILE = "model.elastic"


def run(run: Run) -> Outcome:
    """Write model.elastic."""
    from tflite_export.bundle import write_bundle

    variants = [_variant(run, found) for found in run.workspace.results("export")["variants"]]
    report = write_bundle(
        run.path(FILE), variants, name=run.recipe.name, labels=run.dataset.classes
    )
    return Outcome(
        f"{FILE}: {report.bundle_bytes / 1000:,.1f} kB",
        files=(FILE,),
        results={"bytes": report.bundle_bytes, "sha256": report.sha256},
    )


def _variant(run: Run, found: dict[str, Any]) -> Any:
    from tflite_export.bundle import Variant

    return Variant(
        name=found["name"],
        width=found["width"],
        params=found["params"],
        macs=found["macs"],
        accuracy=found["accuracy_tflite"],
        scheme=run.recipe.export.scheme,
        tflite=run.path(export.tflite_file(found["name"])).read_bytes(),
    )


STAGE = Stage("bundle", run, needs=("ai_edge_litert",))
