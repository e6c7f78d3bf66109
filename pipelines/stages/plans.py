"""Plan what each mode of complexity leaves; that takes no trained net."""

from collections.abc import Iterator

from pipelines.sections import ComplexityPruning, Contest
from pipelines.stages import baseline
from pipelines.stages.base import Outcome, Run, Stage

FILE = "plans.json"


def run(run: Run) -> Outcome:
    """Prune to every budget by every mode."""
    import tfelastic as te

    spec = spec_of(run)
    graph = te.trace(baseline.build(run))
    ways = {}
    for contest in spec.contests:
        for mode in contest.modes:
            strategy = te.Complexity(mode=mode, sampling=spec.sampling, seed=run.recipe.seed)
            ways[name_of(contest, mode)] = strategy.pruning_trace(
                graph,
                budget=te.Budget(**contest.budget.given),
                round_to=spec.round_to,
                floor=spec.floor,
            ).to_json()
    run.workspace.save_json(FILE, ways)
    return Outcome(
        f"{len(ways)} plans over {len(graph.prunable)} channel groups",
        files=(FILE,),
        results={"groups": {group.name: group.size for group in graph.prunable}},
    )


def spec_of(run: Run) -> ComplexityPruning:
    """Return the recipe's section `complexity`."""
    assert run.recipe.complexity is not None
    return run.recipe.complexity


def name_of(contest: Contest, way: str) -> str:
    """Return what a net pruned to a contest's budget is called: `macs0.5-peak`."""
    limits = "-".join(f"{name}{value:g}" for name, value in contest.budget.given.items())
    return f"{limits}-{way}"


def names(run: Run) -> Iterator[tuple[Contest, str, str]]:
    """Yield contest, mode and name of every net that is trained directly."""
    for contest in spec_of(run).contests:
        for mode in contest.modes:
            yield contest, mode, name_of(contest, mode)


STAGE = Stage("plans", run, needs=("tensorflow",))
