"""Run the device's selector over the test examples under several budgets."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.experiments.elastic import bundle, profile
from pipelines.experiments.elastic.profile import LatencyFigures
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage, baseline, data
from pipelines.stages.answers import Answers
from pipelines.stages.task import TASK_KEYS, task_of

if TYPE_CHECKING:
    from tfelastic_runtime import InputSpec

    from tfelastic import Metric
    from tfelastic.data import Arrays


@dataclass(frozen=True, kw_only=True)
class SelectorRun(Record):
    """What the selector did under one budget.

    Attributes:
        budget_us: The budget in microseconds.
        requests: How many examples were run.
        variant_counts: How many of them each variant ran, widest first.
        p50_us: Their median latency, to a tenth.
        p90_us: The latency that nine of ten kept.
        p99_us: The latency that 99 of 100 kept.
        score: The score of all answers together.
    """

    budget_us: int
    requests: int
    variant_counts: dict[str, int]
    p50_us: float
    p90_us: float
    p99_us: float
    score: float


@dataclass(frozen=True)
class SelectorRuns(Record):
    """One row for each budget, the largest first."""

    rows: tuple[SelectorRun, ...]


def run(run: Run[ElasticRecipe]) -> Outcome[SelectorRuns]:
    """Answer the same requests under each budget, and count which variant did."""
    spec, latencies = run.recipe.selector, run.result(profile.STAGE).latencies
    budgets = midway(latencies) if spec.budgets == "auto" else [float(b) for b in spec.budgets]
    metric = task_of(run, baseline.load(run)).metric
    rows = []
    with run.reporter.bar(len(budgets), "budgets") as advance:
        for index, budget_us in enumerate(sorted(budgets, reverse=True)):
            rows.append(_under(run, round(budget_us), metric))
            advance(index + 1, f"{rows[-1].budget_us / 1000:.2f} ms")
    chosen = {name for row in rows for name in row.variant_counts}
    return Outcome(f"{len(rows)} budgets, {len(chosen)} variants in use", SelectorRuns(tuple(rows)))


def midway(latencies: Mapping[str, LatencyFigures]) -> list[float]:
    """Return the budgets that lie midway between neighbouring variants' p90 latencies.

    Examples:
        >>> p90 = {"w100": 900, "w050": 300, "w025": 100}
        >>> midway({name: LatencyFigures(0.9 * each, each) for name, each in p90.items()})
        [200.0, 600.0]
    """
    ends = sorted(float(latency.p90_us) for latency in latencies.values())
    if len(ends) == 1:
        return [2 * ends[0]]
    return [(low + high) / 2 for low, high in itertools.pairwise(ends)]


def _under(run: Run[ElasticRecipe], budget_us: int, metric: "Metric") -> SelectorRun:
    from tfelastic_runtime import Bundle, Selector

    opened = Bundle.open(run.path(bundle.FILE))
    requests = run.recipe.selector.requests or len(run.dataset.test)
    asked = run.dataset.test.take(np.arange(requests) % len(run.dataset.test))
    variants: Counter[str] = Counter()
    latencies_us: list[float] = []
    outputs: list[Mapping[str, np.ndarray]] = []
    with Selector.open(
        opened,
        budget_us=budget_us,
        profile=run.path(profile.FILE),
        threads=run.recipe.profile.threads,
    ) as selector:
        for index in range(requests):
            result = selector.run(_one(asked.inputs, index, opened.manifest.inputs))
            variants[result.variant] += 1
            latencies_us.append(result.latency_us)
            outputs.append(result.outputs)
    joined = {name: np.stack([each[name] for each in outputs]) for name in outputs[0]}
    several = isinstance(asked.targets, Mapping)
    answers = Answers.of(metric, asked.targets, joined if several else next(iter(joined.values())))
    return SelectorRun(
        budget_us=budget_us,
        requests=requests,
        variant_counts={name: variants[name] for name in selector.latencies if variants[name]},
        p50_us=percentile(latencies_us, 50),
        p90_us=percentile(latencies_us, 90),
        p99_us=percentile(latencies_us, 99),
        score=answers.score,
    )


def _one(inputs: "Arrays", index: int, specs: "Sequence[InputSpec]") -> "Arrays":
    """Return one example's inputs as the selector takes them: pixels of images, real values of all else."""
    kinds = {spec.name: np.uint8 if spec.kind == "image" else np.float32 for spec in specs}
    if isinstance(inputs, Mapping):
        return {name: array[index].astype(kinds[name]) for name, array in inputs.items()}
    (kind,) = kinds.values()
    return inputs[index].astype(kind)


def percentile(values: Sequence[float], rank: float) -> float:
    """Return a percentile, to a tenth."""
    return round(float(np.percentile(values, rank)), 1)


STAGE = Stage(
    "selector",
    run,
    SelectorRuns,
    keys=("selector", "profile.threads", *TASK_KEYS),
    stages=(data.STAGE, baseline.STAGE, bundle.STAGE, profile.STAGE),
    packages=("ai_edge_litert",),
)
