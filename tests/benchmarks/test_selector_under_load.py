"""The selector beside static variants, under a load that lasts a fraction of a second."""

from pathlib import Path

import pytest
from tfelastic_runtime import Bundle

from benchmarks import run_all, selector_under_load
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


def found(misses: float, score: float, overhead_us: float) -> list[Competitor]:
    return [
        competitor
        for language in ("Python", "C++")
        for competitor in (
            Competitor(language, SELECTOR, 9, misses, score, 2, overhead_us),
            *(
                Competitor(language, variant.name, 9, 0.5, 0.5, 0)
                for variant in Bundle.open(BUNDLE).variants
            ),
        )
    ]


def test_goals_compare_the_selector_with_the_widest_and_the_narrowest() -> None:
    bundle = Bundle.open(BUNDLE)
    assert all(goals_of(found(0.1, 0.9, 0.4), bundle).values())
    assert not any(goals_of(found(0.5, 0.5, 21), bundle).values())
    reached = goals_of(found(0.1, 0.9, 5), bundle)
    assert [goal for goal, is_reached in reached.items() if not is_reached] == [
        "C++: at most 0.5 us an inference"
    ]


def test_figures_go_into_a_page_and_into_the_list_of_benchmarks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n")
    monkeypatch.setattr(selector_under_load, "compare", lambda path, **_: (700, found(0.1, 0.9, 5)))
    monkeypatch.setattr(selector_under_load, "measured_quietly", lambda measure: measure())

    def printed(*options: str) -> str:
        monkeypatch.setattr("sys.argv", ["selector_under_load", str(BUNDLE), *options])
        selector_under_load.main()
        return capsys.readouterr().out

    assert printed("--write", str(page)).strip() in page.read_text()
    assert "| C++ | selector | 9 | 10.00% | 0.9000 | 2 | 5.00 |" in page.read_text()
    assert "MISSED: C++: at most 0.5 us" in page.read_text()
    assert "old" not in page.read_text()
    (benchmark,) = (each for each in run_all.BENCHMARKS if each.name == "selector_under_load")
    rows = list(benchmark.rows(printed("--json")))
    assert [(row.ours, row.peer) for row in rows] == [(10, 50), (5, None)] * 2
