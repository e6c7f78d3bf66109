"""Measure the net of every step down to the budget beside width cuts of equal MACs, on this machine."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.experiments.block_removal import block_search
from pipelines.experiments.block_removal.recipe import BlockRemovalRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage, baseline, data
from pipelines.stages.evaluation import some_examples

if TYPE_CHECKING:
    from tfelastic import KeepPlan, LayerGraph

#: Latency does not depend on the ranges that calibration finds.
_SAMPLES = 8


@dataclass(frozen=True)
class TimedNet(Record):
    """A net's costs and its median latency."""

    params: int
    macs: int
    latency_us: float


@dataclass(frozen=True)
class DepthStep(Record):
    """The net after so many removed blocks, and the original cut evenly to no more MACs, where that is possible."""

    blocks: int
    net: TimedNet
    width_cut: TimedNet | None


@dataclass(frozen=True)
class DepthAgainstWidth(Record):
    """The full net first, then the net of every step."""

    steps: tuple[DepthStep, ...]


def run(run: Run[BlockRemovalRecipe]) -> Outcome[DepthAgainstWidth]:
    """Convert all nets, let them take turns, and set each step's beside its width cut."""
    import tfelastic as te
    import tflite_export as tx

    graph = te.trace(baseline.load(run))
    found = run.result(block_search.STAGES[block_search.BUDGET])
    search = te.BlockReport.from_json(found.search)
    spec, plans = run.recipe.profile, {}
    for blocks in range(len(search.steps) + 1):
        plans["depth", blocks] = search.plan_after(blocks)
        if blocks and (cut := _width_cut(run, graph, plans["depth", blocks])):
            plans["width", blocks] = cut
    files, samples = {}, some_examples(run.training_split, _SAMPLES, seed=run.recipe.seed)
    with run.reporter.bar(len(plans), "nets") as advance:
        for key, plan in plans.items():
            net = te.prune(graph, plan)
            files[key] = tx.convert(net, scheme=run.recipe.export.scheme, samples=samples)
            advance(len(files), f"{key[0]} {key[1]}")
    latencies = tx.measure_files(files, threads=spec.threads, runs=spec.runs, seed=run.recipe.seed)
    nets = {key: _timed(graph, plan, latencies[key]) for key, plan in plans.items()}
    steps = tuple(
        DepthStep(blocks, net, nets.get(("width", blocks)))
        for (kind, blocks), net in nets.items()
        if kind == "depth"
    )
    first, last = steps[0].net, steps[-1].net
    return Outcome(
        f"{last.macs / first.macs:.1%} of the MACs, {first.latency_us / last.latency_us:.2f}x as fast",
        DepthAgainstWidth(steps),
    )


def _width_cut(
    run: Run[BlockRemovalRecipe], graph: "LayerGraph", plan: "KeepPlan"
) -> "KeepPlan | None":
    """Return the even cut of all channels that spends no more MACs; `None` where none is so narrow."""
    import tfelastic as te

    try:
        return te.plan(
            graph,
            budget=te.Budget(macs=te.cost(graph, plan).macs / te.cost(graph).macs),
            strategy="uniform",
            round_to=run.recipe.block_removal.round_to,
        )
    except te.errors.BudgetError:
        return None


def _timed(graph: "LayerGraph", plan: "KeepPlan", latency_us: float) -> TimedNet:
    import tfelastic as te

    cost = te.cost(graph, plan)
    return TimedNet(cost.params, cost.macs, latency_us)


STAGE = Stage(
    "depth_vs_width",
    run,
    DepthAgainstWidth,
    keys=("seed", "profile", "export.scheme", "validation_images", "block_removal.round_to"),
    stages=(data.STAGE, baseline.STAGE, block_search.STAGES[block_search.BUDGET]),
    packages=("tensorflow", "ai_edge_litert"),
)
