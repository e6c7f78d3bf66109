"""Plan what each mode of complexity leaves; that takes no trained net."""

from dataclasses import dataclass

from pipelines.experiments.complexity.recipe import ComplexityRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage, baseline, data

FILE = "plans.json"


@dataclass(frozen=True)
class Planned(Record):
    """The units of each prunable channel group."""

    groups: dict[str, int]


def run(run: Run[ComplexityRecipe]) -> Outcome[Planned]:
    """Plan every mode's way to every budget, step by step."""
    import tfelastic as te

    spec = run.recipe.complexity
    graph = te.trace(baseline.build(run))
    traces = {}
    for comparison in spec.comparisons:
        for mode in comparison.modes:
            strategy = te.Complexity(mode=mode, sampling=spec.sampling, seed=run.recipe.seed)
            traces[comparison.net_name(mode)] = strategy.pruning_trace(
                graph,
                budget=te.Budget(**comparison.budget.given),
                round_to=spec.round_to,
                floor=spec.floor,
            ).to_json()
    run.workspace.save_json(FILE, traces)
    return Outcome(
        f"{len(traces)} plans over {len(graph.prunable)} channel groups",
        Planned({group.name: group.size for group in graph.prunable}),
        files=(FILE,),
    )


SECTION = "complexity"
#: The recipe's keys that say how channels are counted out.
PLAN_KEYS = tuple(f"{SECTION}.{key}" for key in ("comparisons", "round_to", "floor"))

STAGE = Stage(
    "plans",
    run,
    Planned,
    keys=(*baseline.BUILD_KEYS, *PLAN_KEYS, "complexity.sampling"),
    stages=(data.STAGE,),
    files=baseline.model_files,
    packages=("tensorflow",),
)
