"""The selector beside static variants, under a load that lasts a fraction of a second."""

from pathlib import Path

import pytest
from tfelastic_runtime import Bundle

from benchmarks.selector_under_load import SELECTOR, Competitor, compare, goals_of

BUNDLE = Path(__file__).parents[2] / "runtime" / "conformance" / "golden.elastic"


def test_everyone_runs_in_both_languages() -> None:
    budget_us, found = compare(BUNDLE, seconds=0.3)
    bundle = Bundle.open(BUNDLE)
    names = [variant.name for variant in bundle.variants]
    scores = {variant.name: variant.score for variant in bundle.variants}
    assert [(each.language, each.name) for each in found] == [
        (language, name) for language in ("Python", "C++") for name in (SELECTOR, *names)
    ]
    assert budget_us >= 1
    for each in found:
        assert each.runs > 5
        assert 0 <= each.misses <= 1
        if each.name == SELECTOR:
            assert min(scores.values()) <= each.score <= max(scores.values())
            assert each.overhead_us is not None
            assert 0 < each.overhead_us < 1_000
        else:
            assert (each.score, each.switches) == (pytest.approx(scores[each.name]), 0)
    assert len(goals_of(found, bundle)) == 6


def test_goals_compare_the_selector_with_the_widest_and_the_narrowest() -> None:
    bundle = Bundle.open(BUNDLE)
    names = [variant.name for variant in bundle.variants]

    def found(misses: float, score: float, overhead_us: float) -> list[Competitor]:
        return [
            competitor
            for language in ("Python", "C++")
            for competitor in (
                Competitor(language, SELECTOR, 9, misses, score, 2, overhead_us),
                *(Competitor(language, name, 9, 0.5, 0.5, 0) for name in names),
            )
        ]

    assert all(goals_of(found(0.1, 0.9, 0.4), bundle).values())
    assert not any(goals_of(found(0.5, 0.5, 21), bundle).values())
    reached = goals_of(found(0.1, 0.9, 5), bundle)
    assert [goal for goal, is_reached in reached.items() if not is_reached] == [
        "C++: at most 0.5 us an inference"
    ]
