"""Measure every variant on this machine."""

from dataclasses import dataclass
from typing import Any

from pipelines.experiments.elastic import bundle
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage

FILE = "profile.json"


@dataclass(frozen=True)
class LatencyFigures(Record):
    """A variant's median latency, and the one that nine runs of ten keep, in microseconds."""

    p50_us: float
    p90_us: float


@dataclass(frozen=True)
class MeasuredLatencies(Record):
    """What each variant took, by name, and on which device."""

    device: dict[str, Any]
    latencies: dict[str, LatencyFigures]


def run(run: Run[ElasticRecipe]) -> Outcome[MeasuredLatencies]:
    """Measure the bundle's variants, taking turns so that drift hits all alike."""
    from tfelastic_runtime import Bundle

    import tflite_export as tx

    spec = run.recipe.profile
    with run.reporter.bar(spec.runs, "runs") as advance:
        table = tx.profile_host(
            run.path(bundle.FILE),
            threads=spec.threads,
            stop=tx.StoppingRule.after(spec.runs),
            warmup=spec.warmup,
            progress=lambda what, done, total: advance(spec.runs * done / total, "of each variant"),
        )
    profile = table.to_json()
    run.workspace.save_json(FILE, profile)
    latencies = {
        name: LatencyFigures(each["p50_us"], each["p90_us"])
        for name, each in profile["latencies"].items()
    }
    never = tx.never_chosen(Bundle.open(run.path(bundle.FILE)), table.table)
    return Outcome(
        "p90 "
        + "  ".join(
            (
                *(f"{name} {each.p90_us / 1000:.2f} ms" for name, each in latencies.items()),
                *(
                    f"({name} never chosen: {better} is as good and as fast)"
                    for name, better in never.items()
                ),
            )
        ),
        MeasuredLatencies(profile["device"], latencies),
        files=(FILE,),
    )


STAGE = Stage(
    "profile",
    run,
    MeasuredLatencies,
    keys=("profile",),
    stages=(bundle.STAGE,),
    packages=("ai_edge_litert",),
)
