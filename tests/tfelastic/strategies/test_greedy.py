"""`Greedy` and `Knapsack`: steps by what they lose for what they save."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import tfelastic as te
from tests.support.devices import TiledDevice, chain
from tfelastic._plan import Selection
from tfelastic.strategies import STRATEGIES, BlockRemoval, Importance, PruningSchedule, PruningStep
from tfelastic.strategies.base import resolve
from tfelastic.strategies.knapsack import cheapest_choice

DEVICE = TiledDevice(tile=16)


@pytest.fixture(scope="module")
def resnet() -> te.LayerGraph:
    return te.trace(te.zoo.build("resnet20", input_shape=(32, 32, 3), classes=10, seed=0))


def latency(share: float, device: TiledDevice = DEVICE) -> te.Budget:
    return te.Budget(latency_us=share, latency=device)


@pytest.mark.parametrize("strategy", STRATEGIES.names())
def test_every_step_is_taken_once_and_each_groups_own_stay_in_order(
    resnet: te.LayerGraph, strategy: str
) -> None:
    chosen = resolve(strategy)
    importance = Importance.of(resnet, te.criteria.Magnitude(), blocks=chosen.removes_blocks)
    schedule = PruningSchedule.of(resnet, importance, round_to=8)
    steps = list(chosen.order_steps(schedule, te.Budget(macs=0.5)))
    for group in schedule.groups:
        assert [s for s in steps if isinstance(s, PruningStep) and s.group == group[0].group] == [
            *group
        ]
    assert [s for s in steps if isinstance(s, BlockRemoval)] != [] or not chosen.removes_blocks
    assert len(steps) == len(set(steps))


@pytest.mark.parametrize("strategy", ["greedy", "knapsack"])
@pytest.mark.parametrize("share", [0.9, 0.6, 0.5])
def test_no_channel_is_dropped_where_that_saves_nothing(strategy: str, share: float) -> None:
    graph = te.trace(chain(64, 48, 64))
    plan = te.plan(graph, budget=latency(share), strategy=strategy, round_to=4)
    assert te.spending(graph, plan, latency(share)).fits
    assert plan.keep
    for name, units in plan.keep.items():
        assert len(units) % DEVICE.tile == 0, f"{name} keeps {len(units)}, not a multiple of a tile"


def test_where_calls_cost_most_blocks_go_and_where_tiles_do_channels_go(
    resnet: te.LayerGraph,
) -> None:
    calls = TiledDevice(tile=16, call_us=100.0)
    plan = te.plan(resnet, budget=latency(0.85, calls), strategy="greedy")
    assert plan.removed
    assert not plan.keep
    net = te.trace(chain(64, 64))
    assert not te.plan(net, budget=latency(0.5), strategy="greedy").removed
    widths = te.Greedy(blocks=False)
    assert not te.plan(resnet, budget=latency(0.9), strategy=widths).removed


def test_a_protected_layer_keeps_its_block(resnet: te.LayerGraph) -> None:
    calls = TiledDevice(tile=16, call_us=100.0)
    free = te.plan(resnet, budget=latency(0.9, calls), strategy="greedy")
    (block,) = [each for each in resnet.blocks if each.name == free.removed[0]]
    kept = te.plan(resnet, budget=latency(0.9, calls), strategy="greedy", protect=[block.layers[0]])
    assert block.name not in kept.removed


@dataclass(frozen=True)
class FirstCuts:
    """A device on which the first cut of each group saves so much, and all further ones nothing."""

    saved_us: Mapping[str, float]

    def latency_us(self, selection: Selection) -> float:
        return 100 - sum(self.saved_us[name] for name in selection.plan.keep)


class Losses(te.criteria.Criterion):
    """Measured losses, the same for all units of a group."""

    comparable = True

    def __init__(self, losses: Mapping[str, float]) -> None:
        self.losses = losses

    def score(self, graph: te.LayerGraph) -> dict[str, np.ndarray]:
        return {
            group.name: np.full(group.size, self.losses[group.name]) for group in graph.prunable
        }


def kept_by_greedy(
    latency_us: float, saved_us: Mapping[str, float], losses: Mapping[str, float]
) -> dict[str, int]:
    graph = te.trace(chain(*[16] * len(losses)))
    budget = te.Budget(latency_us=latency_us, latency=FirstCuts(saved_us))
    plan = te.plan(graph, budget=budget, strategy="greedy", criterion=Losses(losses), round_to=8)
    return {name: len(units) for name, units in plan.keep.items()}


def test_what_is_saved_beyond_the_budget_counts_for_nothing() -> None:
    """Two groups lose alike; cutting the first saves far more than is asked for, cutting the second enough."""
    assert kept_by_greedy(95, {"c0": 60, "c1": 10}, {"c0": 2.0, "c1": 1.0}) == {"c1": 12}


def test_a_step_that_a_later_one_made_needless_is_taken_back() -> None:
    """The first group's cut is the better bargain, but not enough, and the second's is enough alone."""
    saved, losses = {"c0": 20, "c1": 60}, {"c0": 1.0, "c1": 10.0}
    assert kept_by_greedy(85, saved, losses) == {"c0": 12}
    assert kept_by_greedy(50, saved, losses) == {"c1": 12}


def test_of_the_needless_the_one_that_loses_most_is_taken_back() -> None:
    saved, losses = {"c0": 20, "c1": 22, "c2": 60}, {"c0": 1.0, "c1": 1.2, "c2": 10.0}
    assert kept_by_greedy(30, saved, losses) == {"c0": 12, "c2": 12}


@pytest.mark.parametrize("share", [0.8, 0.6, 0.45])
def test_no_step_can_be_taken_back_from_what_a_budget_needs(
    resnet: te.LayerGraph, share: float
) -> None:
    budget = latency(share)
    importance = Importance.of(resnet, te.criteria.Magnitude(), blocks=True)
    schedule = PruningSchedule.of(resnet, importance, round_to=8)
    steps = schedule.steps_within(budget, te.Greedy().order_steps(schedule, budget))
    last = {each.group: each for each in steps if isinstance(each, PruningStep)}
    ends = [each for each in steps if isinstance(each, BlockRemoval) or last[each.group] == each]
    assert te.spending(resnet, schedule.plan(steps), budget).fits
    for step in ends:
        without = [each for each in steps if each != step]
        assert not te.spending(resnet, schedule.plan(without), budget).fits, step


choice = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda pair: tuple(map(float, pair)))
tables = st.lists(st.lists(choice, min_size=1, max_size=4), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@given(tables, st.sampled_from([1.0, 5.0, 10.0, 25.0, 50.0]))
def test_the_knapsack_finds_the_least_loss_that_saves_enough(
    table: list[list[tuple[float, float]]], needed: float
) -> None:
    # Savings are whole numbers and `needed` divides the resolution, so that rounding loses nothing.
    choices = {str(number): [(0.0, 0.0), *options] for number, options in enumerate(table)}
    every = [
        (sum(loss for loss, _ in combination), sum(saving for _, saving in combination))
        for combination in itertools.product(*choices.values())
    ]
    enough = [loss for loss, saving in every if saving >= needed]
    found = cheapest_choice(choices, needed)
    loss, saving = (
        sum(choices[name][number][part] for name, number in found.items()) for part in (0, 1)
    )
    if enough:
        assert saving >= needed
        assert loss == min(enough)
    else:
        assert saving == max(saving for _, saving in every)


def test_rounds_must_be_positive() -> None:
    with pytest.raises(te.errors.BudgetError, match="at least 1 round, received 0"):
        te.Knapsack(rounds=0)
