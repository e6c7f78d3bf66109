"""The policy on tables, noises, loads and budgets that were drawn: nothing was tuned on these.

Knowing the slowdown is no bound on a drawn case: where its budget lies at the edge of what a variant takes, the
chooser that knows the slowdown pays its score with misses. So single cases are held to what no estimate can
avoid, and the goals hold over all of them.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from tfelastic_runtime import Row

from tests.tflite_export.simulation.references import filters_ahead, loads, mean
from tflite_export.simulation import (
    TRACES,
    Candidate,
    Noise,
    SimulationReport,
    simulate,
    trace_of,
)

RUNS = 2_000
SEEDS = (1, 2)


class Gamma(Noise):
    """Latencies of a gamma distribution, whose median is about 1."""

    def factors(self, runs: int, rng: np.random.Generator) -> np.ndarray:
        shape = self.spread**-2
        return rng.gamma(shape, 1 / (shape - 1 / 3), runs) * self._stalls(runs, rng)

    def _stalls(self, runs: int, rng: np.random.Generator) -> np.ndarray:
        stalled = rng.random(runs) < self.stalls
        return np.where(stalled, rng.uniform(*self.stall_factors, runs), 1.0)


class LongTail(Gamma):
    """A fixed time and an exponential one on top, with the median 1."""

    def factors(self, runs: int, rng: np.random.Generator) -> np.ndarray:
        tail = rng.exponential(self.spread, runs) - self.spread * math.log(2)
        return (1 + tail) * self._stalls(runs, rng)


class Student(Gamma):
    """The logarithm has a t distribution of four degrees of freedom: now and then far away."""

    def factors(self, runs: int, rng: np.random.Generator) -> np.ndarray:
        drawn = self.spread * rng.standard_t(4, runs) / math.sqrt(2)
        return np.exp(np.clip(drawn, -0.4, 3)) * self._stalls(runs, rng)


def levels(rng: np.random.Generator) -> np.ndarray:
    """Return slowdowns of one of five levels, each for 100 to 500 runs."""
    lengths = rng.integers(100, 500, 20)
    return np.repeat(rng.choice([1, 1.2, 1.5, 2.2, 3], 20), lengths)[:RUNS]


def waves(rng: np.random.Generator) -> np.ndarray:
    """Return a slowdown that swings between 1 and 2.2."""
    return 1.6 - 0.6 * np.cos(2 * np.pi * np.arange(RUNS) / rng.integers(300, 1_500))


def wandering(rng: np.random.Generator) -> np.ndarray:
    """Return a slowdown that changes by about a hundredth from run to run."""
    return np.exp(np.abs(np.cumsum(rng.normal(0, 0.01, RUNS))))


OTHER_TRACES = {"levels": levels, "waves": waves, "wandering": wandering}


@dataclass(frozen=True)
class Device:
    """A table in the manifest's order, what disturbs a run, and the budget in medians of the widest."""

    table: tuple[Candidate, ...]
    noise: Noise
    budget: float


@cache
def drawn(number: int) -> Device:
    """Draw two to seven variants whose scores fall ever faster, a noise and a budget."""
    rng = np.random.default_rng([2026, number])
    shares = (1.0, *sorted(rng.uniform(0.12, 1, rng.integers(1, 7)), reverse=True))
    losses = np.diff(shares, prepend=1.0) * rng.uniform(0.05, 0.3, len(shares)) / np.sqrt(shares)
    scores = 0.9 + np.cumsum(losses)
    kind = (Noise, Gamma, LongTail, Student)[number % 4]
    noise = kind(rng.uniform(0.02, 0.09), rng.choice([0, 0.005, 0.01]), (rng.uniform(2, 4), 9.0))
    calm = kind(noise.spread, 0.0)
    p90 = float(np.quantile(calm.factors(20_000, np.random.default_rng(0)), 0.9))
    widest_us = rng.choice([150, 1_000, 12_000, 70_000])
    rows = [
        Row(round(1e6 * score), p50_us, math.ceil(p50_us * max(p90, 1.0)))
        for score, p50_us in zip(
            scores, (max(1, int(widest_us * each)) for each in shares), strict=True
        )
    ]
    table = tuple(Candidate(f"v{i}", row.score_order / 1e6, row) for i, row in enumerate(rows))
    return Device(table, noise, rng.uniform(1.15, 2.4))


CASES = [
    pytest.param(3 * place + number, trace, id=f"{trace}-{number}")
    for place, trace in enumerate((*TRACES, *OTHER_TRACES))
    for number in range(3)
]


@cache
def simulated(number: int, trace: str) -> tuple[SimulationReport, ...]:
    device = drawn(number)
    budget_us = round(device.table[0].row.p50_us * device.budget)
    slowdowns = [
        trace_of(trace, runs=RUNS, seed=seed)
        if trace in TRACES
        else OTHER_TRACES[trace](np.random.default_rng(seed))
        for seed in SEEDS
    ]
    return tuple(
        simulate(device.table, slowdown, budget_us=budget_us, noise=device.noise, seed=seed)
        for seed, slowdown in zip(SEEDS, slowdowns, strict=True)
    )


@pytest.mark.parametrize(("number", "trace"), CASES)
def test_only_stalls_and_first_runs_of_loads_miss(number: int, trace: str) -> None:
    """As where the slowdown is known, one a load and another for the first, and two of a thousand."""
    reports = simulated(number, trace)
    allowed = mean(reports, "knowing slowdown", "misses") + loads(reports) + 0.002
    assert mean(reports, "policy", "misses") <= allowed


@pytest.mark.parametrize(("number", "trace"), CASES)
def test_no_filter_is_ahead(number: int, trace: str) -> None:
    """ALERT's, with whatever margin: it misses more, or scores less."""
    assert filters_ahead(simulated(number, trace)) == []


def test_goals_hold_over_all_cases() -> None:
    """At an edge the margin and the dead band may keep a variant away that would mostly have kept the budget."""
    reports = [simulated(*case.values) for case in CASES]
    misses = [mean(each, "policy", "misses") for each in reports]
    shares = [mean(each, "policy", "of_knowing") for each in reports]
    assert max(misses) <= 0.02
    assert np.mean(shares) >= 0.95
    assert np.mean(np.array(shares) >= 0.9) >= 0.9
