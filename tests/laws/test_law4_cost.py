"""Law 4: the cost predicted from graph and plan is the cost counted on the model that is built."""

import pytest
from hypothesis import given

import tfelastic as te
from tests.support.cases import case
from tests.support.oracles import counted_macs
from tests.support.random_models import LAWS, NAMED, SEEDS, ModelSpec, every_recipe, model_specs

pytestmark = pytest.mark.usefixtures("float64")


def check(spec: ModelSpec, seed: int, *, blocks: bool) -> None:
    it = case(spec, seed, blocks=blocks)
    predicted, built = te.cost(it.graph, it.plan), te.cost(it.pruned)
    assert predicted.params == built.params == it.pruned.count_params()
    assert predicted.macs == built.macs == counted_macs(it.pruned)
    assert predicted.peak_bytes == built.peak_bytes
    assert predicted.peak_bytes_float == built.peak_bytes_float
    assert predicted.layers == built.layers
    assert sum(layer.macs for layer in built.layers) == built.macs
    assert sum(layer.params for layer in built.layers) == built.params


@pytest.mark.parametrize("name", every_recipe())
def test_every_part_alone(name: str) -> None:
    check(every_recipe()[name], 1, blocks=False)


@LAWS
@given(spec=model_specs(), seed=SEEDS)
def test_random_models(spec: ModelSpec, seed: int) -> None:
    check(spec, seed, blocks=True)


def test_one_channel_more_or_less_is_seen() -> None:
    it = case(NAMED["residual"], 1)
    counted = te.cost(it.pruned)
    for group in it.graph.prunable:
        kept = it.plan.keep.get(group.name, tuple(range(group.size)))
        other = kept[1:] if len(kept) > 1 else tuple({0, 1, *kept})
        wrong = te.cost(it.graph, te.KeepPlan(it.plan.model, {**it.plan.keep, group.name: other}))
        assert wrong.params != counted.params
        assert wrong.macs != counted.macs
