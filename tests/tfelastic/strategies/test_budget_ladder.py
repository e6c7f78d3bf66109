"""`te.ladder(budgets=...)`: nested rungs within budgets, of width and depth together."""

import itertools

import numpy as np
import pytest

import tfelastic as te
from tests.support.devices import TiledDevice, chain
from tests.support.weights import randomize

DEVICE = TiledDevice(tile=16, call_us=2.0)
SHARES = (0.75, 0.5, 0.35)


@pytest.fixture(scope="module")
def graph() -> te.LayerGraph:
    return te.trace(te.zoo.build("resnet20", input_shape=(32, 32, 3), classes=10, seed=0))


def by_latency(*shares: float) -> list[te.Budget]:
    return [te.Budget(latency_us=share, latency=DEVICE) for share in shares]


@pytest.mark.parametrize(
    ("strategy", "shares"),
    [(None, SHARES), *((name, (0.9, 0.75)) for name in ("knapsack", "global", "uniform"))],
)
def test_each_rung_fits_its_budget_and_is_nested_in_the_one_above(
    graph: te.LayerGraph, strategy: str | None, shares: tuple[float, ...]
) -> None:
    budgets = by_latency(*shares)
    ladder = te.ladder(graph, budgets=budgets, strategy=strategy)  # Nested, or refused.
    assert ladder.names == ("t100", *(f"t{round(100 * share):03d}" for share in shares))
    for rung, budget in zip(ladder.rungs[1:], budgets, strict=True):
        assert te.spending(graph, rung.plan, budget).fits
    widths = [rung.width for rung in ladder.rungs]
    assert widths[0] == 1
    assert all(wide >= narrow > 0 for wide, narrow in itertools.pairwise(widths))


def test_widths_and_blocks_compete(graph: te.LayerGraph) -> None:
    last = te.ladder(graph, budgets=by_latency(*SHARES)).rungs[-1].plan
    assert last.removed
    sizes = {group.name: group.size for group in graph.prunable}
    assert any(len(units) < sizes[name] for name, units in last.keep.items())


@pytest.mark.parametrize(
    ("resource", "names"),
    [("macs", ("m100", "m060")), ("params", ("p100", "p060")), ("peak_bytes", ("a100", "a060"))],
)
def test_rungs_are_named_after_what_they_may_spend(resource: str, names: tuple[str, ...]) -> None:
    ladder = te.ladder(chain(32, 32), budgets=[te.Budget(**{resource: 0.6})])
    assert ladder.names == names


def test_an_elastic_model_holds_such_a_ladder() -> None:
    model = te.zoo.build("resnet8", input_shape=(16, 16, 3), classes=4, seed=0)
    randomize(model, seed=3)
    ladder = te.ladder(model, budgets=by_latency(0.9, 0.75))
    net = te.ElasticModel(model, ladder)
    images = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")
    for rung in ladder.rungs:
        expected = te.prune(model, rung.plan)(images)
        assert np.allclose(net.cut(rung.name)(images), expected, atol=1e-5)


def test_budgets_stand_alone_and_fall() -> None:
    model = chain(32, 32)
    with pytest.raises(te.errors.PlanError, match="takes no widths"):
        te.ladder(model, budgets=[te.Budget(macs=0.5)], widths=(1.0, 0.5))
    with pytest.raises(te.errors.PlanError, match="at least one"):
        te.ladder(model, budgets=[])
    with pytest.raises(te.errors.BudgetError, match="budgets of a ladder fall from rung to rung"):
        te.ladder(model, budgets=[te.Budget(macs=0.5), te.Budget(macs=0.6)])


def test_a_budget_that_the_rung_above_meets_gives_no_rung() -> None:
    """With tiles as large as the groups, the first cut already saves half."""
    model = chain(32, 32)
    coarse = TiledDevice(tile=16, call_us=0.0)
    budgets = [te.Budget(latency_us=share, latency=coarse) for share in (0.9, 0.89, 0.4)]
    names = te.ladder(model, budgets=budgets).names
    assert names == ("t100", "t090", "t040")
