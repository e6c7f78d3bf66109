"""`Sensitivity`: measured losses, against models that are really pruned."""

import keras
import numpy as np
import pytest

import tfelastic as te
from tests.support.weights import randomize
from tfelastic.strategies.importance import best_first

SHARES = (0.5, 0.25)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    net = te.zoo.build("resnet8", input_shape=(16, 16, 3), classes=4, seed=0)
    randomize(net, seed=7, alive=True)
    return net


@pytest.fixture(scope="module")
def data(model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(1).normal(size=(200, 16, 16, 3)).astype("float32")
    return images, np.argmax(model.predict(images, verbose=0), axis=-1)


def loss(model: keras.Model, data: tuple[np.ndarray, np.ndarray], plan: te.KeepPlan) -> float:
    accuracy = te.Accuracy(*data)
    return accuracy(model) - accuracy(te.prune(model, plan))


def test_losses_are_those_of_pruned_models(model: keras.Model, data: tuple) -> None:
    graph = te.trace(model)
    before = [np.array(weight) for weight in model.get_weights()]
    found = te.Sensitivity(*data, shares=SHARES).score(graph)
    rank = te.criteria.Magnitude().score(graph)
    measured_some = False
    for group in graph.prunable:
        order, worst = best_first(rank[group.name]), 0.0
        assert np.array_equal(best_first(found[group.name]), order), "the ranking stays"
        for share in SHARES:
            keep = round(share * group.size)
            plan = te.KeepPlan(
                graph.fingerprint, {group.name: tuple(sorted(order[:keep].tolist()))}
            )
            worst = max(worst, loss(model, data, plan))
        # Pooling keeps what is lost from the least measured share down.
        lost = found[group.name][order[keep:]].sum()
        assert lost <= worst + 1e-6
        measured_some |= lost > 0.01
    assert measured_some, "some group matters to this model"
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_blocks_are_measured_on_models_without_them(model: keras.Model, data: tuple) -> None:
    graph = te.trace(model)
    found = te.Sensitivity(*data).score_blocks(graph)
    assert found.keys() == {block.name for block in graph.blocks}
    for name, measured in found.items():
        plan = te.KeepPlan(graph.fingerprint, removed=(name,))
        assert measured == pytest.approx(max(0.0, loss(model, data, plan)))


def test_it_ranks_for_any_strategy(model: keras.Model, data: tuple) -> None:
    calls = []
    criterion = te.Sensitivity(*data, progress=lambda done, total: calls.append((done, total)))
    for strategy in ("greedy", "knapsack", "global"):
        plan = te.plan(model, budget=te.Budget(macs=0.6), criterion=criterion, strategy=strategy)
        assert te.cost(model, plan).macs <= 0.6 * te.cost(model).macs
    assert calls[-1][0] == calls[-1][1] > 0


@pytest.mark.parametrize("shares", [(), (0.0,), (1.0,)])
def test_shares_lie_between_0_and_1(shares: tuple[float, ...]) -> None:
    with pytest.raises(te.errors.CriterionError, match="between 0 and 1"):
        te.Sensitivity(np.zeros((1, 2)), np.zeros(1), shares=shares)
