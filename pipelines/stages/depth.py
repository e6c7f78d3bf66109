"""Measure the net of every step down to the budget beside width cuts of equal MACs, on this machine."""

from typing import TYPE_CHECKING, Any

from pipelines.stages import baseline, searches
from pipelines.stages.base import Outcome, Run, Stage

if TYPE_CHECKING:
    from tfelastic import KeepPlan, LayerGraph

#: Latency does not depend on the ranges that calibration finds.
_SAMPLES = 8


def run(run: Run) -> Outcome:
    """Convert all nets, let them take turns, and set each step's beside its width cut."""
    import keras

    import tfelastic as te
    import tflite_export as tx
    from tflite_export import measure_files

    graph = te.trace(keras.saving.load_model(run.path(baseline.FILE)))
    search = te.BlockReport.from_json(run.workspace.results(searches.BUDGET)["search"])
    spec, plans = run.recipe.profile, {}
    for blocks in range(len(search.steps) + 1):
        plans["depth", blocks] = search.plan_after(blocks)
        if blocks and (cut := _width_cut(run, graph, plans["depth", blocks])):
            plans["width", blocks] = cut
    files = {}
    with run.reporter.bar(len(plans), "nets") as advance:
        for key, plan in plans.items():
            net, samples = te.prune(graph, plan), run.learned.images[:_SAMPLES]
            files[key] = tx.convert(net, scheme=run.recipe.export.scheme, samples=samples)
            advance(len(files), f"{key[0]} {key[1]}")
    latencies = measure_files(files, threads=spec.threads, runs=spec.runs, seed=run.recipe.seed)
    nets = {key: _figures(graph, plan, latencies[key]) for key, plan in plans.items()}
    rows = [
        {"blocks": blocks, **figures, "width": nets.get(("width", blocks))}
        for (kind, blocks), figures in nets.items()
        if kind == "depth"
    ]
    speed = rows[0]["latency_us"] / rows[-1]["latency_us"]
    return Outcome(
        f"{rows[-1]['macs'] / rows[0]['macs']:.1%} of the MACs, {speed:.2f}x as fast",
        results={"rows": rows},
    )


def _width_cut(run: Run, graph: "LayerGraph", plan: "KeepPlan") -> "KeepPlan | None":
    """Return the even cut of all channels that spends no more MACs; `None` where none is so narrow."""
    import tfelastic as te

    try:
        return te.plan(
            graph,
            budget=te.Budget(macs=te.cost(graph, plan).macs / te.cost(graph).macs),
            strategy="uniform",
            round_to=searches.spec_of(run).round_to,
        )
    except te.errors.BudgetError:
        return None


def _figures(graph: "LayerGraph", plan: "KeepPlan", latency_us: float) -> dict[str, Any]:
    import tfelastic as te

    cost = te.cost(graph, plan)
    return {"params": cost.params, "macs": cost.macs, "latency_us": latency_us}


STAGE = Stage("depth", run, needs=("tensorflow", "ai_edge_litert"))
