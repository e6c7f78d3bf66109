"""The laws hold for a model that was saved and loaded as well, and its plans are those of the original.

Keras loads some things in another form than they were built in: tuples come back as lists, adapted layers derive
their constants anew, random layers get their states back.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import tfelastic as te
from tests.support.cases import case, ladder_of
from tests.support.inference import random_inputs, run
from tests.support.oracles import difference, masked
from tests.support.random_models import LAWS, SEEDS, ModelSpec, build, every_recipe, model_specs

pytestmark = pytest.mark.usefixtures("float64")
FILES = settings(LAWS, suppress_health_check=[HealthCheck.function_scoped_fixture])


def loaded(model: keras.Model, folder: Path) -> keras.Model:
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras")


def check(spec: ModelSpec, seed: int, folder: Path) -> None:
    it = case(spec, seed, blocks=True)
    again = loaded(it.model, folder)
    graph = te.trace(again)
    assert str(graph) == str(it.graph)
    assert graph.fingerprint == it.graph.fingerprint
    assert te.cost(graph, it.plan) == te.cost(it.pruned)
    everything = te.prune(graph, te.KeepPlan(graph.fingerprint))
    assert difference(run(it.model, it.inputs), run(everything, it.inputs)) < 1e-9
    pruned = te.prune(graph, it.plan)
    assert difference(masked(it.graph, it.plan, it.inputs), run(pruned, it.inputs)) < 1e-9
    twice = loaded(pruned, folder)
    assert difference(run(pruned, it.inputs), run(twice, it.inputs)) < 1e-9
    assert str(te.trace(twice)) == str(te.trace(it.pruned))


@pytest.mark.parametrize("name", every_recipe())
def test_every_part_alone(name: str, tmp_path: Path) -> None:
    check(every_recipe()[name], 1, tmp_path)


@FILES
@given(spec=model_specs(), seed=SEEDS)
def test_random_models(tmp_path: Path, spec: ModelSpec, seed: int) -> None:
    check(spec, seed, tmp_path)


def check_elastic(spec: ModelSpec, folder: Path) -> None:
    model = build(spec)
    ladder = ladder_of(model)
    if ladder is None:
        return
    net, inputs = te.ElasticModel(model, ladder), random_inputs(model)
    rng = np.random.default_rng(0)
    for view in net.narrow:
        for variable in view.own.values():
            if variable.dtype == "float64":  # Random states are integers.
                variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    again = loaded(net, folder)
    assert again.ladder == net.ladder
    for name in net.names:
        outputs = run(net.rung(name), inputs)
        assert difference(outputs, run(again.rung(name), inputs)) < 1e-9
        assert difference(outputs, run(again.cut(name), inputs)) < 1e-9


@pytest.mark.parametrize(
    "parts", [("adapted",), ("indexed",), ("augmented",), ("nested", "adapted")]
)
def test_every_rung_of_an_elastic_network(parts: tuple[str, ...], tmp_path: Path) -> None:
    check_elastic(ModelSpec(parts), tmp_path)


@FILES
@given(spec=model_specs(max_parts=3))
def test_random_elastic_networks(tmp_path: Path, spec: ModelSpec) -> None:
    check_elastic(spec, tmp_path)


def test_a_net_in_another_form_is_seen(tmp_path: Path) -> None:
    model = build(ModelSpec(("indexed",), seed=1))
    other = build(ModelSpec(("indexed",), seed=2))
    assert te.trace(loaded(other, tmp_path)).fingerprint != te.trace(model).fingerprint
