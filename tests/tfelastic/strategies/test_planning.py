"""`te.plan`: the largest plan under a budget along a strategy's steps."""

from itertools import pairwise

import keras
import numpy as np
import pytest

import tfelastic as te
from tfelastic._plan import Selection
from tfelastic.strategies import Importance, PruningSchedule
from tfelastic.strategies.base import resolve

BUDGETS = [
    te.Budget(params=0.5),
    te.Budget(macs=0.5),
    te.Budget(macs=5_000_000),
    te.Budget(peak_bytes=0.7),
    te.Budget(tflite_bytes=0.4),
    te.Budget(params=0.6, macs=0.5, peak_bytes=0.9),
]


@pytest.fixture(scope="module")
def graph() -> te.LayerGraph:
    return te.trace(te.zoo.build("resnet8", input_shape=(32, 32, 3), classes=10, seed=0))


@pytest.mark.parametrize("strategy", ["uniform", "global"])
@pytest.mark.parametrize("budget", BUDGETS, ids=lambda budget: "-".join(budget.resources))
def test_the_plan_fits_and_the_one_a_step_larger_does_not(
    graph: te.LayerGraph, budget: te.Budget, strategy: str
) -> None:
    plan = te.plan(graph, budget=budget, strategy=strategy, round_to=4)
    standing = te.spending(graph, plan, budget)
    assert standing.fits
    before = one_step_larger(graph, plan, strategy)
    larger = te.spending(graph, before, budget)
    assert not larger.fits
    # What one step saves bounds what is left unspent: at most 2 % wherever a step is no larger.
    step = larger.spent[standing.binding] - standing.spent[standing.binding]
    if set(budget.resources) == {standing.binding}:
        assert standing.gap <= step / standing.limits[standing.binding]


def one_step_larger(graph: te.LayerGraph, plan: te.KeepPlan, strategy: str) -> te.KeepPlan:
    importance = Importance.of(graph, te.criteria.Magnitude())
    schedule = PruningSchedule.of(graph, importance, round_to=4)
    steps = list(resolve(strategy).order_steps(schedule, te.Budget(macs=1.0)))
    plans = [schedule.plan(steps[:count]) for count in range(len(steps) + 1)]
    return plans[plans.index(plan) - 1]


def test_fine_steps_leave_at_most_two_percent() -> None:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([keras.Input((8, 8, 3))])
    for width in (64, 128, 128):
        model.add(layers.Conv2D(width, 3, padding="same"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10))
    for strategy in ("uniform", "global"):
        budget = te.Budget(macs=0.5)
        plan = te.plan(model, budget=budget, strategy=strategy, round_to=1)
        assert 0 <= te.spending(model, plan, budget).gap <= 0.02


def test_smaller_budgets_give_nested_plans(graph: te.LayerGraph) -> None:
    shares = (0.8, 0.5, 0.2)
    plans = [te.plan(graph, budget=te.Budget(macs=share)) for share in shares]
    for wide, narrow in pairwise(plans):
        for group in graph.prunable:
            kept = [set(p.keep.get(group.name, range(group.size))) for p in (wide, narrow)]
            assert kept[1] <= kept[0]


def test_the_best_channels_stay_in_their_old_order() -> None:
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(4, name="hidden"), keras.layers.Dense(1)]
    )
    model.get_layer("hidden").kernel.assign(np.array([[1.0, 4.0, 2.0, 3.0], [0.0] * 4]))
    plan = te.plan(model, budget=te.Budget(params=0.6), round_to=1)
    assert plan.keep["hidden"] == (1, 3)


def test_global_takes_from_the_group_of_the_least_worth() -> None:
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(4, name="even"),
            keras.layers.Dense(4, name="uneven"),
            keras.layers.Dense(1),
        ]
    )
    model.get_layer("even").kernel.assign(np.ones((2, 4)))
    model.get_layer("uneven").kernel.assign(np.diag([9.0, 9.0, 0.1, 0.1]))
    plan = te.plan(model, budget=te.Budget(params=0.7), round_to=1)
    assert plan.keep == {"uneven": (0, 1)}


def test_floors_and_protected_layers_hold(graph: te.LayerGraph) -> None:
    plan = te.plan(graph, budget=te.Budget(macs=0.5), floor=0.5, protect=["stage3_block1_conv1"])
    assert "stage3_block1_conv1" not in plan.keep
    for group in graph.prunable:
        assert len(plan.keep.get(group.name, range(group.size))) >= group.size / 2


def test_every_count_is_rounded(graph: te.LayerGraph) -> None:
    plan = te.plan(graph, budget=te.Budget(macs=0.3), round_to=8)
    for group in graph.prunable:
        if group.size >= 32:
            assert len(plan.keep.get(group.name, range(group.size))) % 8 == 0


def test_predicted_spending_is_that_of_the_built_model(graph: te.LayerGraph) -> None:
    plan = te.plan(graph, budget=te.Budget(macs=0.4, peak_bytes=0.8))
    built = te.cost(te.prune(graph.model, plan))
    predicted = te.spending(graph, plan, te.Budget(macs=0.4, peak_bytes=0.8)).spent
    assert predicted == {"macs": built.macs, "peak_bytes": built.peak_bytes}


def test_a_budget_out_of_reach_says_by_how_much(graph: te.LayerGraph) -> None:
    smallest = te.plan(graph, budget=te.Budget(macs=0.07), round_to=4)
    spent = te.cost(graph, smallest).macs
    with pytest.raises(te.errors.BudgetError, match=r"still spends macs of .* too much.*floor"):
        te.plan(graph, budget=te.Budget(macs=1000), round_to=4)
    assert spent > 1000


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"strategy": "globl"}, te.errors.BudgetError, "did you mean 'global'"),
        ({"criterion": "magnitud"}, te.errors.CriterionError, "did you mean 'magnitude'"),
        ({"criterion": "taylor"}, te.errors.CriterionError, "Taylor"),
        ({"protect": ["stem", "nix"]}, te.errors.PlanError, "nix"),
        ({"round_to": 0}, te.errors.BudgetError, "round_to must be 1 or more"),
    ],
)
def test_unfit_options_are_refused(
    graph: te.LayerGraph, options: dict[str, object], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        te.plan(graph, budget=te.Budget(macs=0.5), **options)


@pytest.mark.parametrize("values", [{}, {"macs": 0}, {"params": -1.0}, {"latency_us": 100}])
def test_unfit_budgets_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(te.errors.BudgetError, match="budget"):
        te.Budget(**values)


def test_nothing_needs_to_go_under_a_whole_budget(graph: te.LayerGraph) -> None:
    plan = te.plan(graph, budget=te.Budget(macs=1.0))
    assert Selection(graph, plan).plan.keep == {}
