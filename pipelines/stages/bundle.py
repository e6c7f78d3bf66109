"""Pack the variants into one file for the device."""

from pipelines.stages import export
from pipelines.stages.base import Outcome, Run, Stage

FILE = "model.elastic"


def run(run: Run) -> Outcome:
    """Write model.elastic."""
    import tflite_export as tx

    variants = []
    for found in run.workspace.results("export")["variants"]:
        tflite = run.path(export.tflite_file(found["name"])).read_bytes()
        variants.append(tx.VariantReport.from_json(found).packable(tflite))
    report = tx.write_bundle(
        run.path(FILE), variants, name=run.recipe.name, labels=run.dataset.classes_of()
    )
    return Outcome(
        f"{FILE}: {report.bundle_bytes / 1000:,.1f} kB",
        files=(FILE,),
        results={"bytes": report.bundle_bytes, "sha256": report.sha256},
    )


STAGE = Stage("bundle", run, needs=("ai_edge_litert",))
