"""What is left out for its latency: only what is surely as slow as another, or slower and no more accurate."""

import numpy as np
import pytest
from tfelastic_runtime import Bundle

from tests.support.golden import SHARED
from tflite_export._profile.redundancy import TimedVariant, redundant, speed_up, time_in_turns


def timed(
    *variants: tuple[str, float, float], shared: float = 0.0, own: float = 0.0, rounds: int = 40
) -> list[TimedVariant]:
    """Return variants of a name, a score and a latency, under noise that a round shares and noise of each turn."""
    generator = np.random.default_rng(0)
    load = 1 + shared * generator.exponential(size=rounds)
    return [
        TimedVariant(
            name,
            score,
            (latency * load * (1 + own * generator.exponential(size=rounds))).tolist(),
        )
        for name, score, latency in variants
    ]


LADDER = [("w100", 0.9, 100.0), ("w075", 0.88, 97.0), ("w050", 0.8, 60.0), ("w025", 0.6, 56.0)]


@pytest.mark.parametrize("shared", [0.0, 3.0])
def test_rungs_that_are_hardly_faster_than_the_one_above_go_however_busy_the_machine(
    shared: float,
) -> None:
    assert redundant(timed(*LADDER, shared=shared)).keys() == {"w075", "w025"}


def test_noise_does_not_decide() -> None:
    """Turns that differ as much from each other as the variants do leave it open, and all stay."""
    assert redundant(timed(*LADDER, own=5.0, rounds=20)) == {}


def test_too_few_rounds_decide_nothing() -> None:
    assert redundant(timed(*LADDER, rounds=5)) == {}


def test_rungs_that_are_faster_stay() -> None:
    assert redundant(timed(("a", 0.9, 100.0), ("b", 0.8, 90.0), ("c", 0.7, 80.0), shared=1)) == {}


def test_one_that_is_slower_and_no_more_accurate_goes_wherever_it_stands() -> None:
    found = redundant(timed(("wide", 0.8, 100.0), ("narrow", 0.8, 50.0), ("odd", 0.5, 70.0)))
    assert found == {
        "wide": "slower than narrow (100 us against 50 us) and no more accurate",
        "odd": "slower than narrow (70 us against 50 us) and no more accurate",
    }


def test_of_two_as_fast_the_more_accurate_stays() -> None:
    assert redundant(timed(("w100", 0.8, 100.0), ("w050", 0.9, 100.0))).keys() == {"w100"}


def test_a_row_of_small_steps_keeps_every_second_rung() -> None:
    """Each rung is compared with the last one that stays, not with its neighbour."""
    names = ("a", "b", "c", "d", "e")
    row = [(name, 0.9 - 0.1 * i, 100 / 1.06**i) for i, name in enumerate(names)]
    assert redundant(timed(*row)).keys() == {"b", "d"}


def test_the_interval_of_a_ratio_ignores_what_both_share() -> None:
    slow, fast = timed(("slow", 1, 200.0), ("fast", 1, 100.0), shared=10.0)
    low, high = speed_up(slow.turns_us, fast.turns_us) or (0.0, 0.0)
    assert low == pytest.approx(2)
    assert high == pytest.approx(2)


def test_files_take_turns_until_it_is_settled_or_the_time_is_up() -> None:
    bundle = Bundle.from_bytes(SHARED)
    files = {each.name: bundle.model(each.name) for each in bundle.variants}
    calls: list[tuple[str, int, int]] = []
    turns_us = time_in_turns(files, limit_s=0.5, progress=lambda *call: calls.append(call))
    assert turns_us.keys() == files.keys()
    (rounds,) = {len(each) for each in turns_us.values()}
    assert rounds == len(calls) > 0
    assert all(latency > 0 for each in turns_us.values() for latency in each)
