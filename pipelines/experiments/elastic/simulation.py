"""Simulate the selector under traces of load, beside references and every variant on its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.experiments.elastic import bundle, profile, selector
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage

TRACES = ("idle", "step", "ramp", "throttle", "bursts")
#: Runs of each trace: enough for its load to come and go.
RUNS = 1000


@dataclass(frozen=True)
class Chooser(Record):
    """What one way to choose did: its share of runs over the budget, its mean score, and how often it switched."""

    name: str
    misses: float
    mean_score: float
    switches: int


@dataclass(frozen=True)
class SimulatedTrace(Record):
    """A trace, and what the choosers did; `kept` is the share of its runs in which a variant keeps the budget."""

    trace: str
    kept: float
    choosers: tuple[Chooser, ...]


@dataclass(frozen=True)
class Simulation(Record):
    """The traces under one budget, in microseconds."""

    budget_us: int
    runs: int
    traces: tuple[SimulatedTrace, ...]


def run(run: Run[ElasticRecipe]) -> Outcome[Simulation]:
    """Simulate every trace under the middle one of the selector's budgets."""
    from tfelastic_runtime import Bundle, Profile

    import tflite_export as tx

    opened = Bundle.open(run.path(bundle.FILE))
    candidates = tx.candidates(opened, Profile.load(run.path(profile.FILE)))
    budget_us = _middle([row.budget_us for row in run.result(selector.STAGE).rows])
    traces = []
    with run.reporter.bar(len(TRACES), "traces") as advance:
        for trace in TRACES:
            report = tx.simulate(
                candidates, trace, budget_us=budget_us, runs=RUNS, seed=run.recipe.seed
            )
            choosers = tuple(
                Chooser(each.name, each.misses, each.mean_score, each.switches) for each in report
            )
            traces.append(SimulatedTrace(trace, report.kept, choosers))
            advance(len(traces), trace)
    return Outcome(
        f"{len(traces)} traces under {budget_us / 1000:.2f} ms",
        Simulation(budget_us, RUNS, tuple(traces)),
    )


def _middle(budgets: Sequence[int]) -> int:
    return max(sorted(budgets)[len(budgets) // 2], 1)


STAGE = Stage(
    "simulation",
    run,
    Simulation,
    keys=("seed",),
    stages=(bundle.STAGE, profile.STAGE, selector.STAGE),
    packages=("ai_edge_litert",),
)
