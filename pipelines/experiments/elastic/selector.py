"""Run the device's selector over the test split under several budgets."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.experiments.elastic import bundle, profile
from pipelines.experiments.elastic.profile import LatencyFigures
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage, data


@dataclass(frozen=True, kw_only=True)
class SelectorRun(Record):
    """What the selector did under one budget.

    Attributes:
        budget_us: The budget in microseconds.
        requests: How many images were classified.
        variant_counts: How many of them each variant ran, widest first.
        p50_us: Their median latency, to a tenth.
        p90_us: The latency that nine of ten kept.
        p99_us: The latency that 99 of 100 kept.
        accuracy: The share of right answers.
    """

    budget_us: int
    requests: int
    variant_counts: dict[str, int]
    p50_us: float
    p90_us: float
    p99_us: float
    accuracy: float


@dataclass(frozen=True)
class SelectorRuns(Record):
    """One row for each budget, the largest first."""

    rows: tuple[SelectorRun, ...]


def run(run: Run[ElasticRecipe]) -> Outcome[SelectorRuns]:
    """Answer the same requests under each budget, and count which variant did."""
    spec, latencies = run.recipe.selector, run.result(profile.STAGE).latencies
    budgets = midway(latencies) if spec.budgets == "auto" else [float(b) for b in spec.budgets]
    rows = []
    with run.reporter.bar(len(budgets), "budgets") as advance:
        for index, budget_us in enumerate(sorted(budgets, reverse=True)):
            rows.append(_under(run, round(budget_us)))
            advance(index + 1, f"{rows[-1].budget_us / 1000:.2f} ms")
    chosen = {name for row in rows for name in row.variant_counts}
    return Outcome(f"{len(rows)} budgets, {len(chosen)} variants in use", SelectorRuns(tuple(rows)))


def midway(latencies: Mapping[str, LatencyFigures]) -> list[float]:
    """Return the budgets that lie midway between neighbouring variants' p90 latencies.

    Example:
        >>> p90 = {"w100": 900, "w050": 300, "w025": 100}
        >>> midway({name: LatencyFigures(0.9 * each, each) for name, each in p90.items()})
        [200.0, 600.0]
    """
    ends = sorted(float(latency.p90_us) for latency in latencies.values())
    if len(ends) == 1:
        return [2 * ends[0]]
    return [(low + high) / 2 for low, high in itertools.pairwise(ends)]


def _under(run: Run[ElasticRecipe], budget_us: int) -> SelectorRun:
    from tfelastic_runtime import Selector

    test, requests = run.dataset.test, run.recipe.selector.requests or len(run.dataset.test)
    variants: Counter[str] = Counter()
    latencies_us: list[float] = []
    correct = 0
    with Selector.open(
        run.path(bundle.FILE),
        budget_us=budget_us,
        profile=run.path(profile.FILE),
        threads=run.recipe.profile.threads,
    ) as selector:
        for index in range(requests):
            image, label = test.images[index % len(test)], test.labels[index % len(test)]
            result = selector.run(image)
            variants[result.variant] += 1
            latencies_us.append(result.latency_us)
            correct += int(np.argmax(result.output) == label)
    return SelectorRun(
        budget_us=budget_us,
        requests=requests,
        variant_counts={name: variants[name] for name in selector.latencies if variants[name]},
        p50_us=percentile(latencies_us, 50),
        p90_us=percentile(latencies_us, 90),
        p99_us=percentile(latencies_us, 99),
        accuracy=correct / requests,
    )


def percentile(values: Sequence[float], rank: float) -> float:
    """Return a percentile, to a tenth."""
    return round(float(np.percentile(values, rank)), 1)


STAGE = Stage(
    "selector",
    run,
    SelectorRuns,
    keys=("selector", "profile.threads"),
    stages=(data.STAGE, bundle.STAGE, profile.STAGE),
    packages=("ai_edge_litert",),
)
