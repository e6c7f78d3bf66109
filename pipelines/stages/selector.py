"""Run the device's selector over the test split under several budgets."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.stages import bundle, profile
from pipelines.stages.base import Outcome, Run, Stage


def run(run: Run) -> Outcome:
    """Answer the same requests under each budget, and count which variant did."""
    spec = run.recipe.selector
    latencies = run.workspace.results("profile")["profile"]["latencies"]
    budgets = midway(latencies) if spec.budgets == "auto" else [float(b) for b in spec.budgets]
    rows = []
    with run.reporter.bar(len(budgets), "budgets") as advance:
        for index, budget_us in enumerate(sorted(budgets, reverse=True)):
            rows.append(_under(run, round(budget_us)))
            advance(index + 1, f"{rows[-1]['budget_us'] / 1000:.2f} ms")
    chosen = {name for row in rows for name in row["variant_counts"]}
    return Outcome(
        f"{len(rows)} budgets, {len(chosen)} variants in use",
        results={"selector": rows},
    )


def midway(latencies: Mapping[str, Mapping[str, Any]]) -> list[float]:
    """Return the budgets that lie midway between neighbouring variants' p90 latencies.

    Example:
        >>> midway({"w100": {"p90_us": 900}, "w050": {"p90_us": 300}, "w025": {"p90_us": 100}})
        [200.0, 600.0]
    """
    ends = sorted(float(latency["p90_us"]) for latency in latencies.values())
    if len(ends) == 1:
        return [2 * ends[0]]
    return [(low + high) / 2 for low, high in itertools.pairwise(ends)]


def _under(run: Run, budget_us: int) -> dict[str, Any]:
    from tfelastic_runtime import Selector

    test, requests = run.dataset.test, run.recipe.selector.requests or len(run.dataset.test)
    variants: Counter[str] = Counter()
    taken_us: list[float] = []
    hits = 0
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
            taken_us.append(result.latency_us)
            hits += int(np.argmax(result.output) == label)
    return {
        "budget_us": budget_us,
        "requests": requests,
        "variant_counts": {name: variants[name] for name in selector.latencies if variants[name]},
        "p50_us": percentile(taken_us, 50),
        "p90_us": percentile(taken_us, 90),
        "p99_us": percentile(taken_us, 99),
        "accuracy": hits / requests,
    }


def percentile(values: Sequence[float], rank: float) -> float:
    """Return a percentile, to a tenth."""
    return round(float(np.percentile(values, rank)), 1)


STAGE = Stage("selector", run, needs=("ai_edge_litert",))
