"""Groups drawn by their share of the complexity: shares by hand, frequencies, seeds, budgets, the pruning trace."""

import json
from itertools import pairwise

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
from tests.support.random_models import NAMED, every_recipe
from tests.support.random_models import build as generate
from tfelastic._plan import Selection
from tfelastic.errors import BudgetError, PlanError
from tfelastic.strategies import shares

MODES = ("params", "flops", "memory", "peak")


def three_layers() -> keras.Model:
    """The net that the docstring of `Complexity` works out."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same", use_bias=False, name="a"),
            layers.Conv2D(8, 3, padding="same", use_bias=False, name="b"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, use_bias=False, name="logits"),
        ]
    )


def convolutions(*filters: int) -> keras.Model:
    convs = [layers.Conv2D(n, 3, padding="same", name=f"c{i}") for i, n in enumerate(filters)]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10)]
    return keras.Sequential([keras.Input((16, 16, 3)), *convs, *head])


@pytest.mark.parametrize(
    ("mode", "total", "attribution"),
    [
        ("params", 476, {"a": 108, "b": 288, "logits": 80}),
        ("flops", 25_424, {"a": 6_912, "b": 18_432, "logits": 80}),
        ("memory", 978, {"a": 256, "b": 520, "logits": 10}),
        ("peak", 768, {"a": 256, "b": 512}),
    ],
)
def test_shares_worked_out_by_hand(mode, total, attribution) -> None:
    found = shares(Selection(te.trace(three_layers())), mode)
    assert (found.total, dict(found.attribution)) == (total, attribution)
    told = te.Complexity.__doc__
    for number in (total, *attribution.values()):
        assert f"{number:,}" in told
    pruning = te.Complexity(mode=mode, sampling="largest").pruning_trace(
        three_layers(), budget=te.Budget(params=0.9)
    )
    assert pruning.steps[0].group == "b"
    assert pruning.steps[0].share == attribution["b"] / total


def test_coupled_layers_hold_together_what_each_holds() -> None:
    """Stem, residual end, their norms and the sum all put out one group's channels."""
    inputs = keras.Input((4, 4, 2))
    stem = layers.BatchNormalization()(layers.Conv2D(4, 1, use_bias=False, name="stem")(inputs))
    x = layers.Conv2D(6, 1, use_bias=False, name="inside")(stem)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.Add()([stem, layers.Conv2D(4, 1, name="end")(x)])
    graph = te.trace(keras.Model(inputs, layers.Dense(3, name="logits")(layers.Flatten()(x))))
    found = shares(Selection(graph), "params")
    assert found.attribution == {
        "stem": (2 * 4) + 4 * 4 + (6 * 4 + 4),
        "inside": 4 * 6 + 9 * 6,
        "logits": 64 * 3 + 3,
    }
    assert found.total == te.cost(graph).params


def test_a_layer_of_several_groups_is_split_by_channels() -> None:
    inputs = keras.Input((4, 4, 2))
    parts = [layers.Conv2D(n, 1, use_bias=False, name=f"c{n}")(inputs) for n in (1, 3)]
    x = layers.BatchNormalization()(layers.Concatenate()(parts))
    graph = te.trace(keras.Model(inputs, layers.Conv2D(2, 1, name="out")(x)))
    attribution = shares(Selection(graph), "params").attribution
    assert (attribution["c1"], attribution["c3"]) == (2 + 16 / 4, 6 + 16 * 3 / 4)


@pytest.mark.parametrize("name", every_recipe())
def test_the_total_is_what_cost_counts_and_no_more_is_attributed(name) -> None:
    graph = te.trace(generate(every_recipe()[name]))
    selection = Selection(graph)
    found = {mode: shares(selection, mode) for mode in MODES}
    cost = te.cost(graph)
    assert found["params"].total == cost.params
    assert found["flops"].total == cost.macs
    assert found["peak"].total <= cost.peak_bytes
    for each in found.values():
        assert sum(each.attribution.values()) <= each.total * (1 + 1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_a_layer_is_drawn_as_often_as_its_share_says(mode) -> None:
    """Chi-squared against the shares of those that can shrink, over 3,000 first draws."""
    graph = te.trace(convolutions(8, 16, 24))
    now = shares(Selection(graph), mode)
    names = [group.name for group in graph.prunable]
    attribution = np.array([now.attribution.get(name, 0.0) for name in names])
    rng = np.random.default_rng(11)
    drawn = [te.Complexity(mode=mode).draw(now, names, rng) for _ in range(3000)]
    counts = np.array([drawn.count(name) for name in names])
    expected = 3000 * attribution / attribution.sum()
    live = attribution > 0
    assert not counts[~live].any()
    # 99.9 % of samples of the right distribution lie below 13.8 with two degrees of freedom.
    assert np.sum((counts - expected)[live] ** 2 / expected[live]) < 13.8
    other = np.full(live.sum(), 3000 / live.sum())
    assert np.sum((counts[live] - other) ** 2 / other) > 13.8, "equal odds would pass as well"


def test_seeds_reproduce_plans_to_the_last_channel() -> None:
    model, budget = convolutions(32, 64, 64), te.Budget(params=0.4)

    def made(seed: int, **options) -> te.KeepPlan:
        return te.plan(model, strategy=te.Complexity(seed=seed), budget=budget, **options)

    assert made(3) == made(3)
    assert made(0) == te.plan(model, strategy="complexity", budget=budget)
    assert len({json.dumps(made(seed).to_json()) for seed in range(5)}) > 1
    again = te.plan(convolutions(32, 64, 64), strategy=te.Complexity(seed=3), budget=budget)
    assert made(3).keep == again.keep


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sampling", ["weighted", "largest"])
@pytest.mark.parametrize(
    "budget",
    [te.Budget(params=0.5), te.Budget(macs=0.3), te.Budget(peak_bytes=0.6, tflite_bytes=0.7)],
)
def test_budgets_are_met_and_the_step_before_missed_them(mode, sampling, budget) -> None:
    graph = te.trace(convolutions(32, 64, 64))
    pruning = te.Complexity(mode=mode, sampling=sampling).pruning_trace(graph, budget=budget)
    assert te.spending(graph, pruning.plan, budget).fits
    last = pruning.steps[-1]
    earlier = [step.keep for step in pruning.steps[:-1] if step.group == last.group]
    keep = dict(pruning.plan.keep)
    size = graph.group(last.group).size
    keep[last.group] = tuple(range(earlier[-1] if earlier else size))
    assert not te.spending(graph, te.KeepPlan(graph.fingerprint, keep), budget).fits


def test_a_tighter_budget_goes_on_where_the_looser_one_ended() -> None:
    model, strategy = convolutions(32, 64, 64), te.Complexity(mode="flops", seed=2)
    ways = [strategy.pruning_trace(model, budget=te.Budget(macs=m)) for m in (0.9, 0.5, 0.2)]
    for loose, tight in pairwise(ways):
        assert tight.steps[: len(loose.steps)] == loose.steps
        assert len(tight.steps) > len(loose.steps)


@pytest.mark.parametrize("mode", MODES)
def test_the_largest_share_goes_first(mode) -> None:
    graph = te.trace(convolutions(32, 64, 64))
    pruning = te.Complexity(mode=mode, sampling="largest").pruning_trace(
        graph, budget=te.Budget(macs=0.1)
    )
    keep: dict[str, int] = {}
    for step in pruning.steps:
        plan = te.KeepPlan(graph.fingerprint, {name: tuple(range(n)) for name, n in keep.items()})
        now = shares(Selection(graph, plan), mode, among=[g.name for g in graph.prunable])
        assert step.share == max(now.of(group.name) for group in graph.prunable)
        keep[step.group] = step.keep
    remaining = [step.remaining for step in pruning.steps]
    assert remaining == sorted(remaining, reverse=True)


@pytest.mark.parametrize("round_to", [1, 4, 8])
def test_rounding_floor_and_protection(round_to) -> None:
    graph = te.trace(convolutions(32, 64, 64))
    options = {"round_to": round_to, "floor": 0.5, "protect": ("c1",)}
    strategy = te.Complexity()
    with pytest.raises(BudgetError, match="smallest plan"):
        te.plan(graph, strategy=strategy, budget=te.Budget(params=1e-3), **options)
    keep = te.plan(graph, strategy=strategy, budget=te.Budget(params=0.7), **options).keep
    assert keep.keys() == {"c2"}  # All that c1 reads and makes stays.
    for name, units in keep.items():
        assert len(units) % round_to == 0
        assert len(units) >= graph.group(name).size / 2
        assert units == tuple(range(len(units)))  # Nothing is ranked: the first ones stay.


def test_a_criterion_ranks_where_one_is_given() -> None:
    model = convolutions(8, 8)
    kernel = np.ones(model.get_layer("c0").kernel.shape)
    kernel[..., 0] = 0.0
    model.get_layer("c0").kernel.assign(kernel)
    options = {"strategy": te.Complexity(sampling="largest"), "budget": te.Budget(params=0.3)}
    assert 0 in te.plan(model, **options).keep["c0"]
    assert 0 not in te.plan(model, criterion="magnitude", **options).keep["c0"]


def test_each_mode_leaves_least_of_its_own_resource() -> None:
    """At equal MACs, on a pyramid: early layers are large in memory, late ones in parameters."""
    x = inputs = keras.Input((32, 32, 3))
    for filters in (16, 32, 64):
        x = layers.MaxPooling2D()(layers.Conv2D(filters, 3, padding="same", activation="relu")(x))
    graph = te.trace(keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x))))
    totals = {mode: shares(Selection(graph), mode).total for mode in MODES}
    left = {}
    for mode in MODES:
        strategy = te.Complexity(mode=mode, sampling="largest")
        plan = te.plan(graph, strategy=strategy, budget=te.Budget(macs=0.6), round_to=1)
        left[mode] = {m: shares(Selection(graph, plan), m).total / totals[m] for m in MODES}
    assert left["peak"]["peak"] == min(each["peak"] for each in left.values())
    del left["peak"]  # What lowers the peak lowers the total memory too.
    for mode in ("params", "memory"):
        assert left[mode][mode] == min(each[mode] for each in left.values()), mode


def test_the_peak_gives_way_to_the_next_crowded_moment() -> None:
    """The image and the protected layer after it are the peak; what comes later can shrink all the same."""
    model = convolutions(32, 16, 16)
    strategy = te.Complexity(mode="peak", sampling="largest")
    pruning = strategy.pruning_trace(model, budget=te.Budget(params=0.8), protect=("c0", "c1"))
    assert {step.group for step in pruning.steps} == {"c2"}
    assert all(step.remaining == pruning.total for step in pruning.steps)


@pytest.mark.parametrize("name", NAMED)
def test_the_built_model_costs_what_the_plan_foretold(name) -> None:
    model = generate(NAMED[name])
    graph = te.trace(model)
    plan = te.plan(
        graph, strategy=te.Complexity(mode="flops"), budget=te.Budget(macs=0.7), round_to=1
    )
    predicted, counted = te.cost(graph, plan), te.cost(te.prune(model, plan))
    assert (predicted.params, predicted.macs) == (counted.params, counted.macs)
    assert predicted.peak_bytes == counted.peak_bytes


def test_the_pruning_trace_as_json_and_in_words() -> None:
    model, budget = convolutions(32, 64, 64), te.Budget(macs=0.5)
    pruning = te.Complexity(mode="memory", seed=4).pruning_trace(model, budget=budget)
    assert te.PruningTrace.from_json(json.loads(json.dumps(pruning.to_json()))) == pruning
    assert pruning.plan == te.plan(
        model, strategy=te.Complexity(mode="memory", seed=4), budget=budget
    )
    assert {d.group: d.keep for d in pruning.steps} == {
        n: len(k) for n, k in pruning.plan.keep.items()
    }
    assert pruning.remaining == pruning.steps[-1].remaining < pruning.total
    assert str(pruning).startswith(f"{len(pruning.steps)} steps by Complexity(mode='memory'")
    untouched = te.Complexity().pruning_trace(model, budget=te.Budget(macs=1.0))
    assert (untouched.steps, untouched.remaining) == ((), untouched.total)
    assert te.PruningTrace.from_json(untouched.to_json()) == untouched


@pytest.mark.parametrize("data", [{}, [], {"strategy": {"mod": 1}}, None])
def test_what_is_no_pruning_trace_is_refused(data) -> None:
    with pytest.raises(PlanError, match="not a pruning trace"):
        te.PruningTrace.from_json(data)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"mode": "latency"}, "unknown mode .*'latency'.*params, flops, memory, peak"),
        ({"sampling": "random"}, "unknown sampling .*'random'.*weighted, largest"),
    ],
)
def test_what_is_unknown_is_refused(options, text) -> None:
    with pytest.raises(BudgetError, match=text):
        te.Complexity(**options)


def test_a_strategy_of_ones_own() -> None:
    """Last group first: strategies are open to users."""

    class Backwards(te.Strategy):
        def order_steps(self, schedule, budget):
            for group in reversed(schedule.groups):
                yield from group

    plan = te.plan(convolutions(32, 64, 64), strategy=Backwards(), budget=te.Budget(params=0.6))
    assert set(plan.keep) == {"c2"}
