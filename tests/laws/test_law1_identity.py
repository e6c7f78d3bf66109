"""Law 1: a plan that keeps everything, in whatever order, is the identity."""

import numpy as np
import pytest
from hypothesis import given

import tfelastic as te
from tests.support.cases import case
from tests.support.inference import random_inputs, run
from tests.support.oracles import difference
from tests.support.random_models import (
    LAWS,
    NAMED,
    SEEDS,
    ModelSpec,
    build,
    model_specs,
    reordering,
)

pytestmark = pytest.mark.usefixtures("float64")


@LAWS
@given(spec=model_specs())
def test_a_keep_all_plan_is_the_identity(spec: ModelSpec) -> None:
    model = build(spec)
    inputs = random_inputs(model)
    same = te.prune(model, te.KeepPlan(te.trace(model).fingerprint))
    assert difference(run(model, inputs), run(same, inputs)) == 0
    assert [layer.name for layer in same.layers] == [layer.name for layer in model.layers]


@LAWS
@given(spec=model_specs(), seed=SEEDS)
def test_re_ordering_is_the_identity(spec: ModelSpec, seed: int) -> None:
    model = build(spec)
    inputs = random_inputs(model)
    shuffled = te.prune(model, reordering(te.trace(model), seed))
    assert difference(run(model, inputs), run(shuffled, inputs)) < 1e-9


@pytest.mark.parametrize("name", NAMED)
def test_the_original_is_only_read(name: str) -> None:
    model = build(NAMED[name])
    before = [np.copy(weight) for weight in model.get_weights()]
    te.prune(model, te.ladder(model).rungs[-1].plan)
    assert all(
        np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True)
    )


def test_one_wrong_channel_is_seen() -> None:
    it = case(NAMED["residual"], 0)
    same = te.prune(it.model, te.KeepPlan(it.graph.fingerprint))
    kernel = same.weights[0]
    kernel.assign(np.roll(kernel.numpy(), 1, axis=-1))
    assert difference(run(it.model, it.inputs), run(same, it.inputs)) > 1e-3
