"""Traces, noise, references and reports of a simulation."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from tfelastic_runtime import BudgetError, Row

from tflite_export.errors import SimulationError
from tflite_export.simulation import TRACES, Candidate, Noise, draw, simulate, trace_of

TABLE = [
    Candidate("w100", 0.92, Row(920_000, 1_000, 1_080)),
    Candidate("w050", 0.86, Row(860_000, 380, 411)),
    Candidate("w025", 0.78, Row(780_000, 180, 195)),
]
QUIET = Noise(spread=0, stalls=0)


@pytest.mark.parametrize("name", TRACES)
def test_named_trace(name: str) -> None:
    slowdown = trace_of(name, runs=500, seed=3)
    assert slowdown.shape == (500,)
    assert slowdown.min() >= 1
    assert np.array_equal(slowdown, trace_of(name, runs=500, seed=3))
    assert (slowdown.max() > 1.5) == (name != "idle")


def test_trace_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "phone.txt"
    path.write_text("# minutes of a call\n1\n\n1.5  # hot\n2e0\n")
    assert trace_of(path).tolist() == [1, 1.5, 2]
    assert simulate(TABLE, path, budget_us=1_200).trace == str(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [("1\nfast\n", "line 2.*'fast'"), ("1\n0\n", "positive"), ("# nothing", "at least one")],
)
def test_malformed_file_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.txt"
    path.write_text(text)
    with pytest.raises(SimulationError, match=said):
        trace_of(path)


def test_unknown_trace_names_the_known_ones() -> None:
    with pytest.raises(SimulationError, match=r"'sunny'.*idle, step, ramp, throttle, bursts"):
        trace_of("sunny")
    with pytest.raises(SimulationError, match="positive"):
        trace_of([1.0, math.nan])
    with pytest.raises(SimulationError, match="runs"):
        trace_of("idle", runs=0)


def test_noise_has_the_stated_spread_and_stalls() -> None:
    factors = Noise(0.06, 0.01, (3, 8)).factors(200_000, np.random.default_rng(0))
    stalled = factors > 2
    assert 0.009 < stalled.mean() < 0.011
    assert np.log(factors[~stalled]).std() == pytest.approx(0.06, rel=0.02)


@pytest.mark.parametrize("noise", [(-0.1, 0), (0.1, 1.1), (0.1, 0.1, (0.5, 2)), (0.1, 0.1, (3, 2))])
def test_impossible_noise_is_refused(noise: tuple) -> None:
    with pytest.raises(SimulationError, match="noise"):
        Noise(*noise)


def test_latency_is_table_times_slowdown_times_noise() -> None:
    report = simulate(TABLE, [1.0, 2.0, 0.5], budget_us=1_000, noise=QUIET)
    assert report["w100"].latencies_us.tolist() == [1_000, 2_000, 500]
    assert report["w025"].latencies_us.tolist() == [180, 360, 90]
    noisy = simulate(TABLE, "idle", budget_us=1_000)
    ratio = noisy["w100"].latencies_us / noisy["w025"].latencies_us
    assert ratio == pytest.approx(1_000 / 180, rel=0.01)


def test_references_by_hand() -> None:
    """Budget 1,100: the whole net fits at slowdown 1, half of it at 2, none but the last at 4."""
    report = simulate(TABLE, [1.0, 2.0, 4.0, 8.0], budget_us=1_100, noise=QUIET)
    assert report["oracle"].chosen.tolist() == [0, 1, 2, 2]
    assert report["knowing slowdown"].chosen.tolist() == [0, 1, 2, 2]
    assert report.kept == 0.75
    # The whole net is over budget in runs 2 and 3 of the three in which the oracle is not.
    assert report["w100"].misses == pytest.approx(2 / 3)
    assert report["w100"].of_oracle == pytest.approx(0.14 / ((0.14 + 0.08) / 4))
    assert report["w025"].of_oracle == 0
    assert report["oracle"].switches == 2


@pytest.mark.parametrize("trace", TRACES)
def test_nobody_is_better_than_the_oracle_at_no_more_misses(trace: str) -> None:
    report = simulate(TABLE, trace, budget_us=1_250, seed=5)
    assert report["oracle"].misses == 0
    kept = report["oracle"].latencies_us <= report.budget_us
    scores = np.array([each.score for each in report.table])
    for outcome in report:
        mine = kept & (outcome.latencies_us <= report.budget_us)
        assert (scores[outcome.chosen][mine] <= scores[report["oracle"].chosen][mine]).all()


def test_switching_takes_its_time() -> None:
    table = [
        Candidate("w100", 0.9, Row(2, 1_000, 1_000, 300)),
        Candidate("w050", 0.8, Row(1, 400, 400, 70)),
    ]
    report = simulate(table, [1.0] * 20 + [2.0] * 20, budget_us=1_500, noise=QUIET)
    assert report["oracle"].latencies_us[[0, 20, 21]].tolist() == [1_000, 870, 800]
    assert report["policy"].switches == 1


def test_equal_seeds_give_equal_reports() -> None:
    one, other, third = (
        simulate(TABLE, "bursts", budget_us=1_200, seed=seed) for seed in (1, 1, 2)
    )
    assert one.to_json() == other.to_json() != third.to_json()
    data = json.loads(json.dumps(one.to_json()))
    assert {each["name"] for each in data["outcomes"]} == {
        *("policy", "kalman", "knowing slowdown", "oracle"),
        *("w100", "w050", "w025"),
    }
    assert "knowing slowdown" in str(one)


def test_impossible_questions_are_refused() -> None:
    with pytest.raises(SimulationError, match="at least one variant"):
        simulate([], "idle", budget_us=1)
    with pytest.raises(BudgetError):
        simulate(TABLE, "idle", budget_us=0)
    with pytest.raises(SimulationError, match="unknown chooser 'x'"):
        simulate(TABLE, "idle", budget_us=100, runs=3)["x"]


def test_single_variant_has_no_way_to_go() -> None:
    report = simulate(TABLE[:1], "idle", budget_us=1_200)
    assert report["policy"].of_oracle is None
    assert "-" in str(report)


def test_picture(tmp_path: Path) -> None:
    report = simulate(TABLE, "bursts", budget_us=1_200, runs=300)
    draw(report, tmp_path / "one.svg")
    draw(report, tmp_path / "two.svg")
    svg = (tmp_path / "one.svg").read_text()
    assert "<svg" in svg
    assert svg == (tmp_path / "two.svg").read_text()
    draw(report, tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
