"""Law 6: a ladder is nested, its costs fall along it, and a rung cut out is the rung to the last bit."""

from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given

import tfelastic as te
from tests.support.cases import ladder_of
from tests.support.inference import random_inputs, run
from tests.support.random_models import LAWS, NAMED, ModelSpec, build, model_specs


@LAWS
@given(spec=model_specs())
def test_nested_and_falling(spec: ModelSpec) -> None:
    model = build(spec)
    ladder = ladder_of(model)
    if ladder is None:
        return
    graph = te.trace(model)
    costs = [te.cost(graph, rung.plan) for rung in ladder.rungs]
    for (wide, narrow), (more, less) in zip(pairwise(ladder.rungs), pairwise(costs), strict=True):
        keep = [(wide.plan.keep[name], narrow.plan.keep[name]) for name in wide.plan.keep]
        assert all(units == before[: len(units)] for before, units in keep)
        shrinks = any(len(units) < len(before) for before, units in keep)
        assert (less.params < more.params) is shrinks
        assert (less.macs < more.macs) is shrinks
        assert less.peak_bytes <= more.peak_bytes


@pytest.fixture(scope="module", params=NAMED)
def net(request: pytest.FixtureRequest) -> te.ElasticModel:
    """Return an elastic network whose rungs have moved away from each other, one training step included."""
    model = build(NAMED[request.param])
    net = te.ElasticModel(model, te.ladder(model, widths=(1.0, 0.5), round_to=1))
    rng = np.random.default_rng(0)
    for weight in owned(net):
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    net.compile(optimizer=keras.optimizers.SGD(0.01), loss="mse")
    (images,) = random_inputs(model, count=8)
    net.train_on_batch(images, np.zeros((8, 3), "float32"))
    return net


def owned(net: te.ElasticModel) -> list[keras.Variable]:
    """Return the variables that belong to the narrower rungs alone."""
    shared = set(map(id, net.base.weights))
    return [weight for weight in net.weights if id(weight) not in shared]


def predicted(model: keras.Model, images: np.ndarray, *, jit: bool = False) -> np.ndarray:
    model.jit_compile = jit
    model.make_predict_function(force=True)  # Keras keeps the one of another compile mode.
    return model.predict(images, batch_size=len(images), verbose=0)


def test_cut_is_rung_to_the_last_bit(net: te.ElasticModel) -> None:
    (images,) = random_inputs(net.base, seed=1, count=5)
    for name in net.names:
        assert np.array_equal(predicted(net.rung(name), images), predicted(net.cut(name), images))
    assert not np.array_equal(net.rung("w100")(images), net.rung("w050")(images))


def test_cut_is_rung_under_xla_but_for_rounding(net: te.ElasticModel) -> None:
    # Equal to the last bit on most runs, about 1e-7 apart on some; the cause is not known.
    (images,) = random_inputs(net.base, seed=2, count=5)
    one, other = (
        predicted(model, images, jit=True) for model in (net.rung("w050"), net.cut("w050"))
    )
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_a_saved_network_is_the_same_to_the_last_bit(net: te.ElasticModel, tmp_path: Path) -> None:
    (images,) = random_inputs(net.base, seed=3, count=5)
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    assert loaded.ladder == net.ladder
    for name in net.names:
        outputs = run(net.rung(name), [images])[0]
        assert np.array_equal(outputs, run(loaded.rung(name), [images])[0])
        assert np.array_equal(outputs, run(loaded.cut(name), [images])[0])


def test_one_wrong_channel_is_seen(net: te.ElasticModel) -> None:
    (images,) = random_inputs(net.base, seed=4)
    right = run(net.cut("w050"), [images])[0]
    for weight in owned(net):
        before = weight.numpy()
        weight.assign(np.concatenate([before[:1] * 1.01, before[1:]]))
        assert not np.array_equal(run(net.rung("w050"), [images])[0], right), weight.path
        weight.assign(before)
    assert np.array_equal(run(net.rung("w050"), [images])[0], right)
