"""What holds for every criterion."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import tfelastic as te
from tfelastic.criteria import CRITERIA, Activation, Criterion, Hessian, Taylor, resolve

FROM_DATA = {
    "activation": lambda images, labels: Activation(images),
    "hessian": Hessian,
    "taylor": Taylor,
}


@pytest.fixture(params=CRITERIA.names())
def criterion(request, data) -> Criterion:
    """Every registered criterion, measured on the data where it needs them."""
    return FROM_DATA[request.param](*data) if request.param in FROM_DATA else resolve(request.param)


def test_reordering_channels_reorders_scores(criterion, net):
    if isinstance(criterion, type(resolve("random"))):
        criterion = resolve("magnitude")
    graph = te.trace(net)
    draw = np.random.default_rng(3)
    order = {g.name: tuple(draw.permutation(g.size).tolist()) for g in graph.prunable}
    before = criterion.score(graph)
    moved = te.prune(net, te.KeepPlan(graph.fingerprint, order))
    after = criterion.score(te.trace(moved))
    for name, units in order.items():
        wanted = before[name][list(units)]
        np.testing.assert_allclose(after[name], wanted, rtol=2e-3, atol=1e-7, err_msg=name)


def test_every_unit_is_scored_and_the_model_only_read(criterion, net):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(optimizer="adam", loss=loss, jit_compile=False)
    net.optimizer.build(net.trainable_variables)
    net.get_layer("project").trainable = False

    def state():
        values = [*net.variables, *net.optimizer.variables]
        return [keras.ops.convert_to_numpy(value).tobytes() for value in values]

    before, trainable = state(), [variable.trainable for variable in net.variables]
    graph = te.trace(net)
    scores = criterion.score(graph)
    assert list(scores) == [group.name for group in graph.prunable]
    assert len(scores) == 5
    for group in graph.prunable:
        assert scores[group.name].shape == (group.size,)
        assert np.isfinite(scores[group.name]).all()
        assert (scores[group.name] >= 0).all()
        assert len(set(scores[group.name])) == group.size
    assert state() == before
    assert [variable.trainable for variable in net.variables] == trainable
    assert net.get_layer("stem").output is not None  # Called once only, so its output is defined.
    assert te.trace(net).fingerprint == graph.fingerprint


def test_measured_scores_rank_plans(net, data):
    graph = te.trace(net)
    criterion = Taylor(*data)
    plan = te.plan(graph, budget=te.Budget(params=0.6), criterion=criterion, round_to=1)
    assert te.prune(net, plan).count_params() <= 0.6 * net.count_params()
    scores = criterion.score(graph)
    for name, kept in plan.keep.items():
        best = np.argsort(-scores[name], kind="stable")[: len(kept)]
        assert set(kept) == set(best.tolist())


ON_JAX = """
import sys
sys.modules["tensorflow"] = None
import keras, numpy as np
import tfelastic as te
from tfelastic.criteria import Activation, Taylor
assert keras.config.backend() == "jax"
net = keras.models.load_model(sys.argv[1])
before = [value.tobytes() for value in net.get_weights()]
draw = np.random.default_rng(1)
images, labels = draw.normal(size=(12, 6, 6, 2)).astype("float32"), draw.integers(0, 3, 12)
graph = te.trace(net)
found = {}
for kind in (Taylor(images, labels), Activation(images)):
    for name, score in kind.score(graph).items():
        found[f"{type(kind).__name__} {name}"] = score
assert [value.tobytes() for value in net.get_weights()] == before
np.savez(sys.argv[2], **found)
"""


@pytest.mark.slow
def test_measured_scores_are_the_same_on_jax(data, tmp_path):
    layers = keras.layers
    inputs = keras.Input((6, 6, 2))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, name="conv")(inputs)))
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, layers.Conv2D(4, 1)(x)]))
    net = keras.Model(inputs, layers.Dense(3)(layers.Dropout(0.5)(x)))
    net.save(tmp_path / "net.keras")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": os.pathsep.join(sys.path)}
    script = [sys.executable, "-c", ON_JAX, str(tmp_path / "net.keras"), str(tmp_path / "jax.npz")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    graph = te.trace(net)
    with np.load(tmp_path / "jax.npz") as found:
        assert len(found.files) == 2
        for kind in (Taylor(*data), Activation(data[0])):
            score = kind.score(graph)["conv"]
            wanted = found[f"{type(kind).__name__} conv"]
            np.testing.assert_allclose(score, wanted, rtol=2e-3, atol=1e-7)
