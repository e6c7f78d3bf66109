"""Law 3: plan A and then plan B on what is left is their composition."""

import pytest
from hypothesis import given

import tfelastic as te
from tests.support.cases import Case, case
from tests.support.inference import run
from tests.support.oracles import difference
from tests.support.random_models import LAWS, NAMED, SEEDS, ModelSpec, model_specs, random_plan

pytestmark = pytest.mark.usefixtures("float64")


@LAWS
@given(spec=model_specs(), seed=SEEDS)
def test_one_after_the_other_is_their_composition(spec: ModelSpec, seed: int) -> None:
    it = case(spec, seed)
    later = still_expressible(it, random_plan(te.trace(it.pruned), seed + 1))
    twice = te.prune(it.pruned, later)
    once = te.prune(it.model, it.plan.then(later))
    assert difference(run(once, it.inputs), run(twice, it.inputs)) == 0
    assert [w.shape for w in once.weights] == [w.shape for w in twice.weights]


@pytest.mark.parametrize("name", NAMED)
def test_removed_blocks_compose_too(name: str) -> None:
    it = case(NAMED[name], 3)
    blocks = te.KeepPlan(it.plan.model, removed=tuple(block.name for block in it.graph.blocks))
    shallow = te.prune(it.model, blocks)
    later = random_plan(te.trace(shallow), 5)
    once = te.prune(it.model, blocks.then(later))
    assert difference(run(once, it.inputs), run(te.prune(shallow, later), it.inputs)) == 0


def still_expressible(it: Case, later: te.KeepPlan) -> te.KeepPlan:
    """Return what `later` does to groups that pruning has only made smaller.

    A grouped convolution of which one group is left is an ordinary one, with channels that nothing couples any
    more; no plan for the original can say which of them to drop.
    """
    before = {
        group.name: (len(it.plan.keep.get(group.name, range(group.size))), layers_of(group))
        for group in it.graph.prunable
    }
    after = {group.name: (group.size, layers_of(group)) for group in te.trace(it.pruned).groups}
    keep = {name: units for name, units in later.keep.items() if before.get(name) == after[name]}
    return te.KeepPlan(later.model, keep, later.removed)


def layers_of(group: te.Group) -> list[str]:
    return [member.layer for member in group.members]


def test_composition_counts_units_among_those_left() -> None:
    first = te.KeepPlan("original", {"a": (4, 1, 3), "b": (0, 1)}, ("x",))
    later = te.KeepPlan("pruned", {"a": (2, 0), "c": (1,)}, ("y",))
    assert first.then(later) == te.KeepPlan(
        "original", {"a": (3, 4), "b": (0, 1), "c": (1,)}, ("x", "y")
    )


def test_a_plan_for_units_that_are_gone_is_refused() -> None:
    with pytest.raises(te.errors.PlanError, match="keeps unit 3 of group 'a', which has 2 left"):
        te.KeepPlan("m", {"a": (0, 1)}).then(te.KeepPlan("m", {"a": (3,)}))


def test_one_wrong_unit_is_seen() -> None:
    it = case(NAMED["plain"], 0)
    group = it.graph.prunable[0]
    halved = te.KeepPlan(it.plan.model, {group.name: tuple(range(1, group.size))})
    pruned = te.prune(it.model, halved)
    later = te.KeepPlan(te.trace(pruned).fingerprint, {group.name: (0,)})
    twice = run(te.prune(pruned, later), it.inputs)
    naive = te.KeepPlan(it.plan.model, {group.name: (0,)})
    assert difference(run(te.prune(it.model, halved.then(later)), it.inputs), twice) == 0
    assert difference(run(te.prune(it.model, naive), it.inputs), twice) > 1e-3
