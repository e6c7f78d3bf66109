"""Law 6 with law 2, in double precision: every rung of a random model is the model pruned by the rung's plan."""

import pytest
from hypothesis import given

import tfelastic as te
from tests.support.cases import ladder_of
from tests.support.inference import random_inputs, run
from tests.support.oracles import difference, masked
from tests.support.random_models import LAWS, ModelSpec, build, model_specs


@pytest.mark.usefixtures("float64")
@LAWS
@given(spec=model_specs(max_parts=3))
def test_random_models_rung_by_rung(spec: ModelSpec) -> None:
    model = build(spec)
    ladder = ladder_of(model)
    if ladder is None:
        return
    graph, inputs = te.trace(model), random_inputs(model)
    net = te.ElasticModel(model, ladder)
    for rung in ladder.rungs:
        outputs = run(net.rung(rung.name), inputs)
        assert difference(masked(graph, rung.plan, inputs), outputs) < 1e-9
        assert difference(outputs, run(net.cut(rung.name), inputs)) == 0
