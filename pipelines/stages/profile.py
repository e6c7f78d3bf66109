"""Measure every variant on this machine."""

from pipelines.stages import bundle
from pipelines.stages.base import Outcome, Run, Stage

FILE = "profile.json"


def run(run: Run) -> Outcome:
    """Measure the bundle's variants, taking turns so that drift hits all alike."""
    from tflite_export import profile_host

    spec = run.recipe.profile
    with run.reporter.bar(spec.runs, "runs") as advance:
        table = profile_host(
            run.path(bundle.FILE),
            threads=spec.threads,
            runs=spec.runs,
            warmup=spec.warmup,
            progress=lambda what, done, total: advance(spec.runs * done / total, "of each variant"),
        )
    profile = table.to_json()
    run.workspace.save_json(FILE, profile)
    latencies = profile["latencies"].items()
    return Outcome(
        "p90 " + "  ".join(f"{name} {each['p90_us'] / 1000:.2f} ms" for name, each in latencies),
        files=(FILE,),
        results={"profile": profile},
    )


STAGE = Stage("profile", run, needs=("ai_edge_litert",))
