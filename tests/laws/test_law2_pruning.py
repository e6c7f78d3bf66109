"""Law 2: a pruned model is the original with the dropped channels at zero wherever channels are summed."""

import keras
import numpy as np
import pytest
from hypothesis import given

import tfelastic as te
from tests.support.cases import Case, case
from tests.support.inference import run
from tests.support.oracles import difference, masked
from tests.support.precision import precision
from tests.support.random_models import LAWS, NAMED, SEEDS, ModelSpec, every_recipe, model_specs

pytestmark = pytest.mark.usefixtures("float64")

# Parts after which nothing can be pruned inside, or around them.
UNPRUNABLE = {"augmented", "channel_mean", "layer_norm", "spatial_gate"}


def law(it: Case, pruned: keras.Model | None = None) -> float:
    return difference(masked(it.graph, it.plan, it.inputs), run(pruned or it.pruned, it.inputs))


@pytest.mark.parametrize("name", every_recipe())
def test_every_part_alone(name: str) -> None:
    it = case(every_recipe()[name], 1)
    assert law(it) < 1e-9
    assert name in UNPRUNABLE or not [step.opaque for step in it.graph.steps if step.opaque]
    assert it.graph.prunable


@LAWS
@given(spec=model_specs(), seed=SEEDS)
def test_random_models(spec: ModelSpec, seed: int) -> None:
    assert law(case(spec, seed)) < 1e-9


@pytest.mark.parametrize("name", NAMED)
def test_single_precision(name: str) -> None:
    with precision("float32"):
        case.cache_clear()
        it = case(NAMED[name], 2)
        case.cache_clear()
        assert {str(weight.dtype) for weight in it.pruned.weights} == {"float32"}
        assert law(it) < 1e-3


@pytest.mark.parametrize("name", NAMED)
def test_one_wrong_channel_of_any_weight_is_seen(name: str) -> None:
    it = case(NAMED[name], 1)
    halves = {
        g.name: tuple(range(0, g.size, 2)) if g.size > 2 else (1, 0) for g in it.graph.prunable
    }
    plan = te.KeepPlan(it.graph.fingerprint, halves)
    it = Case(it.model, it.graph, plan, te.prune(it.model, plan), it.inputs)
    assert law(it) < 1e-9
    for weight in it.pruned.weights:
        right = weight.numpy()
        weight.assign(swap_first_two(right))
        assert law(it) > 1e-6, weight.path
        weight.assign(right)


def test_another_kept_channel_is_seen() -> None:
    it = case(NAMED["plain"], 1)
    group = it.graph.prunable[0]
    wrong = te.KeepPlan(it.plan.model, {**it.plan.keep, group.name: (0, 1)})
    right = te.KeepPlan(it.plan.model, {**it.plan.keep, group.name: (0, group.size - 1)})
    expected = masked(it.graph, right, it.inputs)
    assert difference(expected, run(te.prune(it.model, right), it.inputs)) < 1e-9
    assert difference(expected, run(te.prune(it.model, wrong), it.inputs)) > 1e-3


def swap_first_two(value: np.ndarray) -> np.ndarray:
    """Swap two channels along the last axis; two inputs of a layer whose outputs are one."""
    axis = -1 if value.shape[-1] > 1 else -2
    order = [1, 0, *range(2, value.shape[axis])]
    return value.take(order, axis=axis)
