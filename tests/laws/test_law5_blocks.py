"""Law 5: removing a block is putting its shortcut in its place."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tfelastic as te
from tests.support.cases import Case, case
from tests.support.inference import run
from tests.support.oracles import difference, masked
from tests.support.random_models import LAWS, SEEDS, ModelSpec, model_specs

pytestmark = pytest.mark.usefixtures("float64")

RESIDUAL = st.sampled_from(
    ["residual", "operator_residual", "residual_ranges", "nested", "projected"]
)


def law(it: Case) -> float:
    return difference(masked(it.graph, it.plan, it.inputs), run(it.pruned, it.inputs))


@LAWS
@given(spec=model_specs(max_parts=2), part=RESIDUAL, seed=SEEDS)
def test_random_models(spec: ModelSpec, part: str, seed: int) -> None:
    it = case(ModelSpec((*spec.parts, part), spec.head, spec.seed), seed, blocks=True)
    assume(it.plan.removed)
    assert law(it) < 1e-9


@pytest.mark.parametrize("part", ["residual", "operator_residual", "residual_ranges", "nested"])
def test_every_kind_of_block(part: str) -> None:
    it = case(ModelSpec((part, part), "pool"), 0)
    assert it.graph.blocks
    for block in it.graph.blocks:
        plan = te.KeepPlan(it.plan.model, it.plan.keep, (block.name,))
        one = Case(it.model, it.graph, plan, te.prune(it.model, plan), it.inputs)
        assert law(one) < 1e-9
        assert te.cost(one.pruned).macs < te.cost(it.pruned).macs


def test_a_projection_is_no_shortcut() -> None:
    assert not case(ModelSpec(("projected",), "pool"), 0).graph.blocks


def test_one_wrong_block_or_channel_is_seen() -> None:
    it = case(ModelSpec(("residual", "residual")), 0)
    first, second = (te.KeepPlan(it.plan.model, removed=(block.name,)) for block in it.graph.blocks)
    pruned = te.prune(it.model, first)
    right, wrong = (Case(it.model, it.graph, plan, pruned, it.inputs) for plan in (first, second))
    assert law(right) < 1e-9
    assert law(wrong) > 1e-3
    kernel = pruned.weights[0]
    kernel.assign(kernel.numpy()[..., ::-1])
    assert law(right) > 1e-3
