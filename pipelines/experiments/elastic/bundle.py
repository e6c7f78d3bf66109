"""Pack the variants into one file for the device."""

from dataclasses import dataclass

from pipelines.experiments.elastic import export, timing
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage, baseline, data
from pipelines.stages.task import TASK_KEYS, task_of

FILE = "model.elastic"


@dataclass(frozen=True)
class WrittenBundle(Record):
    """The bundle's size and digest."""

    bundle_bytes: int
    sha256: str


def run(run: Run[ElasticRecipe]) -> Outcome[WrittenBundle]:
    """Write model.elastic."""
    import tflite_export as tx

    exported = run.result(export.STAGE)
    reports = [tx.VariantReport.from_json(each) for each in exported.reports]
    variants = [
        report.packable(run.path(export.tflite_file(report.name)).read_bytes())
        for report in reports
        if report.name in run.result(timing.STAGE).packed
    ]
    labels = task_of(run, baseline.load(run)).labels
    interface = tx.interface_of(reports[0], labels=labels)
    report = tx.write_bundle(run.path(FILE), variants, name=run.recipe.name, interface=interface)
    return Outcome(
        f"{FILE}: {report.bundle_bytes / 1000:,.1f} kB",
        WrittenBundle(report.bundle_bytes, report.sha256),
        files=(FILE,),
    )


STAGE = Stage(
    "bundle",
    run,
    WrittenBundle,
    keys=("name", *TASK_KEYS),
    stages=(data.STAGE, baseline.STAGE, export.STAGE, timing.STAGE),
    packages=("ai_edge_litert",),
)
