"""The policy's promises, over random tables, states and noise."""

import doctest
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfelastic_runtime import (
    BudgetError,
    Current,
    Policy,
    ProfileError,
    Row,
    Slowdown,
    choose,
    policy,
)
from tfelastic_runtime.row import MICROSECONDS_MAX, SCORE_ORDER_MAX
from tfelastic_runtime.slowdown import SLOWDOWN_MAX_Q16, SLOWDOWN_MIN_Q16

BUDGETS = st.integers(1, MICROSECONDS_MAX)
LATENCIES = st.one_of(st.integers(1, 4), st.integers(1, 50), st.integers(1, MICROSECONDS_MAX))
SWITCHES = st.one_of(st.just(0), st.integers(0, 50), st.integers(0, MICROSECONDS_MAX))
ROWS = st.builds(
    lambda score, pair, switch_us: Row(score, min(pair), max(pair), switch_us),
    st.one_of(st.integers(0, 5), st.integers(-SCORE_ORDER_MAX, SCORE_ORDER_MAX)),
    st.tuples(LATENCIES, LATENCIES),
    SWITCHES,
)
TABLES = st.lists(ROWS, min_size=1, max_size=8)
OBSERVATIONS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2**40)), max_size=30)
CURRENTS = st.one_of(
    st.none(),
    st.builds(Current, st.integers(0, 7), st.integers(0, 64), st.integers(0, policy.UNUSED_MAX_US)),
)


def after(table: list[Row], observations: list[tuple[int, int]]) -> Slowdown:
    slowdown = Slowdown()
    for index, observed_us in observations:
        slowdown.observe(table[index % len(table)], observed_us)
    return slowdown


def within(current: Current | None, table: list[Row]) -> Current | None:
    return current and replace(current, index=current.index % len(table))


@given(TABLES, OBSERVATIONS, CURRENTS, BUDGETS, BUDGETS)
def test_larger_budget_never_gives_a_worse_score(
    table: list[Row],
    observations: list[tuple[int, int]],
    current: Current | None,
    one: int,
    other: int,
) -> None:
    state = {"slowdown": after(table, observations), "current": within(current, table)}
    small = choose(table, budget_us=min(one, other), **state)
    large = choose(table, budget_us=max(one, other), **state)
    assert table[large.index].score_order >= table[small.index].score_order


@given(TABLES, OBSERVATIONS, CURRENTS, BUDGETS, BUDGETS)
def test_larger_budget_stays_feasible_where_switching_is_free(
    table: list[Row],
    observations: list[tuple[int, int]],
    current: Current | None,
    one: int,
    other: int,
) -> None:
    table = [replace(row, switch_us=0) for row in table]
    state = {"slowdown": after(table, observations), "current": within(current, table)}
    small = choose(table, budget_us=min(one, other), **state)
    large = choose(table, budget_us=max(one, other), **state)
    assert large.feasible >= small.feasible


def prediction(row: Row, slowdown: Slowdown) -> int:
    """Return the prediction in exact fractions rather than shifts; the spread's product is cut off."""
    upper = slowdown.q16 + math.floor(slowdown.q16 * Fraction(slowdown.spread_q16, 65536))
    return math.ceil(max(Fraction(row.p90_us * slowdown.q16), Fraction(row.p50_us * upper)) / 65536)


@given(TABLES, OBSERVATIONS, CURRENTS, BUDGETS)
def test_choice_is_the_best_by_definition(
    table: list[Row], observations: list[tuple[int, int]], current: Current | None, budget_us: int
) -> None:
    """Where switching is free: against a second implementation."""
    table = [replace(row, switch_us=0) for row in table]
    slowdown = after(table, observations)
    choice = choose(table, budget_us=budget_us, slowdown=slowdown, current=within(current, table))
    predicted = [prediction(row, slowdown) for row in table]
    kept = [row for row, each in zip(table, predicted, strict=True) if each <= budget_us]
    chosen = table[choice.index]
    assert choice.predicted_us == predicted[choice.index]
    assert choice.feasible == bool(kept)
    if kept:
        assert chosen in kept
        assert chosen.score_order == max(row.score_order for row in kept)
    else:
        assert choice.predicted_us == min(predicted)
    for row in table:
        better = (
            row.score_order >= chosen.score_order
            and row.p90_us <= chosen.p90_us
            and row.p50_us <= chosen.p50_us
        )
        assert not better or row == chosen


@given(TABLES)
def test_dominated_rows_are_exactly_those_that_are_never_chosen_at_first(
    table: list[Row],
) -> None:
    """Over every budget at which the choice can change, before a run has told of a spread."""
    table = [replace(row, p50_us=row.p90_us, switch_us=0) for row in table]
    chosen = {
        choose(table, budget_us=budget_us).index
        for row in table
        for budget_us in {row.p90_us, max(row.p90_us - 1, 1)}
    }
    assert set(policy.dominated(table)) == set(range(len(table))) - chosen


@given(TABLES, OBSERVATIONS, CURRENTS, BUDGETS)
def test_a_switch_is_made_only_where_it_pays_or_the_budget_demands_it(
    table: list[Row], observations: list[tuple[int, int]], current: Current | None, budget_us: int
) -> None:
    slowdown, current = after(table, observations), within(current, table)
    choice = choose(table, budget_us=budget_us, slowdown=slowdown, current=current)
    if current is None or choice.index == current.index:
        assert choice.predicted_us == prediction(table[choice.index], slowdown) + (
            table[choice.index].switch_us if current is None else 0
        )
        return
    row, old = table[choice.index], table[current.index]
    assert choice.predicted_us == prediction(row, slowdown) + row.switch_us
    demanded = prediction(old, slowdown) > budget_us
    gained = row.score_order > old.score_order or (
        row.score_order == old.score_order and choice.predicted_us <= prediction(old, slowdown)
    )
    paid = row.switch_us <= current.unused_us and (choice.feasible or current.runs == 64)
    dominated = any(
        each.score_order > old.score_order
        and prediction(each, slowdown) <= prediction(old, slowdown)
        for each in table
    )
    assert demanded or dominated or (gained and paid)


def test_switches_take_no_more_than_the_runs_left_unused() -> None:
    """The latencies of all runs with all switches keep the mean of the budgets."""
    table = [Row(3, 900, 990, 700), Row(2, 500, 550, 400), Row(1, 200, 220, 0)]
    random, chosen = np.random.default_rng(3), Policy(table)
    last, spent_us, switches = None, 0, 0
    for _ in range(3_000):
        budget_us = int(random.choice([1_200, 700, 400]))
        index = chosen.choose(budget_us).index
        took_us = int(table[index].p50_us * random.lognormal(0, 0.05))
        if last is not None and table[index].score_order > table[last].score_order:
            spent_us += table[index].switch_us
            switches += 1
        spent_us += min(took_us, budget_us) - budget_us
        chosen.observe(took_us)
        last = index
    assert switches > 100
    assert spent_us <= 0


@given(TABLES, OBSERVATIONS)
def test_state_stays_bounded_and_fits_64_bits(
    table: list[Row], observations: list[tuple[int, int]]
) -> None:
    state = after(table, observations)
    low, high = SLOWDOWN_MIN_Q16, SLOWDOWN_MAX_Q16
    assert low <= state.mean_q16 <= high
    assert low <= state.q16 <= high * 5 // 4
    assert 0 <= state.deviation_q16 <= 32768
    assert state.deviation_q16 <= state.spread_q16 <= 32768 or state.spread_q16 == 0
    assert 0 <= state.trusted_q16 <= (high << 16) // low * 9 // 8
    assert 0 <= state.doubts <= 1
    assert 1 <= state.patience <= 64
    upper = high * 5 // 4 * 3 // 2
    assert MICROSECONDS_MAX * upper + 65535 < 2**63
    assert state.trusted_q16 * high < 2**63


@given(ROWS, st.integers(0, 2**40))
def test_one_slow_run_changes_nothing(row: Row, slow_us: int) -> None:
    normal = Slowdown()
    for _ in range(20):
        normal.observe(row, row.p50_us)
    disturbed = replace(normal)
    disturbed.observe(row, max(slow_us, 2 * row.p50_us))
    assert (disturbed.q16, disturbed.spread_q16) == (normal.q16, normal.spread_q16)
    # Where the median is the largest latency there is, nothing is slower.
    slower = 2 * row.p50_us <= MICROSECONDS_MAX
    for state in (disturbed, normal):
        state.observe(row, row.p50_us)
    assert not slower or disturbed == normal


@given(ROWS, st.integers(4096, 4194304))
def test_a_steady_device_is_learned_from_both_sides(row: Row, true_q16: int) -> None:
    observed_us = min(max(row.p50_us * true_q16 >> 16, 1), MICROSECONDS_MAX)
    told = min(max((observed_us << 16) // row.p50_us, 4096), 4194304)
    slowdown = Slowdown()
    for _ in range(900):
        slowdown.observe(row, observed_us)
    # The steps of the mean end where a twelfth of the way rounds down to nothing.
    assert told - 16 <= slowdown.mean_q16 <= told + 16
    assert slowdown.mean_q16 <= slowdown.q16 <= slowdown.mean_q16 * 1.002


def test_a_burst_is_forgotten_at_once() -> None:
    row = Row(900_000, 1_000, 1_100)
    slowdown = Slowdown()
    for _ in range(5):
        slowdown.observe(row, 4_000)
    assert slowdown.q16 == 4 * 65536
    slowdown.observe(row, 1_000)
    assert slowdown.q16 == 65536


@pytest.mark.parametrize("factor", [1.3, 1.6, 3.0])
def test_nine_runs_of_ten_keep_the_budget_where_the_table_is_wrong(factor: float) -> None:
    """The wide variant really takes longer than its table says: it is probed, but seldom."""
    table = [Row(980_000, 1_000, 1_050), Row(950_000, 500, 525)]
    random, slowdown, misses = np.random.default_rng(0), Slowdown(), 0
    for _ in range(3_000):
        choice = choose(table, budget_us=1_200, slowdown=slowdown)
        usual = table[choice.index].p50_us * (factor if choice.index == 0 else 1.0)
        observed_us = int(usual * random.lognormal(0, 0.03))
        misses += observed_us > 1_200
        slowdown.observe(table[choice.index], observed_us)
    assert 0 < misses < 300


def test_ordinary_noise_does_not_flap() -> None:
    """Noise with the table's own percentiles switches the variant less than once in 200 runs."""
    table = [Row(980_000, 1_000, 1_040), Row(950_000, 500, 520)]
    random, slowdown, switches, last = np.random.default_rng(1), Slowdown(), 0, 0
    for _ in range(4_000):
        choice = choose(table, budget_us=1_200, slowdown=slowdown)
        switches += choice.index != last
        last = choice.index
        observed_us = int(table[last].p50_us * random.lognormal(0, 0.0306))
        slowdown.observe(table[last], observed_us)
    assert switches < 20


@pytest.mark.parametrize("budget", [0, -1, 2**31, 5.0, True, None])
def test_bad_budget_is_refused(budget: int) -> None:
    with pytest.raises(BudgetError, match="budget_us"):
        choose([Row(1, 1, 1)], budget_us=budget)


@pytest.mark.parametrize(
    "row",
    [(-(2**31), 1, 1), (2**31, 1, 1), (1, 0, 1), (1, 2, 1), (1, 1, 2**31), (1, 1, 1, -1)],
)
def test_bad_row_is_refused(row: tuple[int, ...]) -> None:
    with pytest.raises(ProfileError):
        Row(*row)


def test_empty_table_is_refused() -> None:
    with pytest.raises(ProfileError, match="empty"):
        choose([], budget_us=1)


def test_observing_before_choosing_is_refused() -> None:
    with pytest.raises(ProfileError, match="choose first"):
        Policy([Row(1, 1, 1)]).observe(1)


def test_docstring_runs() -> None:
    found = doctest.testmod(policy, optionflags=doctest.ELLIPSIS)
    assert found.failed == 0
    assert found.attempted > 3
