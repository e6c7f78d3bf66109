"""Time every variant whole, in turns, and leave out those that are not worth their space."""

from dataclasses import dataclass

from pipelines.experiments.elastic import export
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage


@dataclass(frozen=True)
class WorthwhileVariants(Record):
    """The variants that go into the bundle, and those that are redundant, each with the reason in words."""

    packed: tuple[str, ...]
    redundant: dict[str, str]


def run(run: Run[ElasticRecipe]) -> Outcome[WorthwhileVariants]:
    """Find the variants that are hardly faster than another here, or slower and no more accurate."""
    import tflite_export as tx

    exported, spec = run.result(export.STAGE), run.recipe.export
    redundant: dict[str, str] = {}
    if not spec.keep_all and spec.target == "phone":
        files = {name: run.path(export.tflite_file(name)).read_bytes() for name in exported.packed}
        with run.reporter.bar(1.0, "of the rounds") as advance:
            redundant = tx.redundant_variants(
                [tx.VariantReport.from_json(each) for each in exported.reports],
                files,
                threads=run.recipe.profile.threads,
                progress=lambda what, done, total: advance(done / total, what),
            )
    for name, reason in redundant.items():
        run.reporter.say(f"{name} is left out: {reason}; export.keep_all keeps it")
    packed = tuple(name for name in exported.packed if name not in redundant)
    return Outcome(
        f"{', '.join(packed)} packed"
        + (f"; left out: {', '.join(redundant)}" if redundant else ""),
        WorthwhileVariants(packed, redundant),
    )


STAGE = Stage(
    "timing",
    run,
    WorthwhileVariants,
    keys=("export.keep_all", "export.target", "profile.threads"),
    stages=(export.STAGE,),
    packages=("ai_edge_litert",),
)
