"""Law 6 with law 2 for widths that were not trained: nested, the pruned model, cut out to the last bit."""

from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import pytest

import tfelastic as te
from tests.support.inference import random_inputs, run
from tests.support.oracles import difference, masked
from tests.support.random_models import NAMED, build

WIDTHS = (1.0, 0.6, 0.3)
NEW = (0.8, 0.45)


def elastic(name: str, **options: object) -> te.ElasticModel:
    model = build(NAMED[name])
    ladder = te.ladder(model, widths=WIDTHS, round_to=1)
    return te.ElasticModel(model, ladder, **options)


def disturbed(net: te.ElasticModel) -> te.ElasticModel:
    """Move the rungs away from each other."""
    rng = np.random.default_rng(0)
    for view in net.narrow:
        for variable in view.own.values():
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return net


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("name", "scales"),
    [("residual", "factors"), ("residual", "own"), ("dense_after_flatten", "factors")],
)
def test_between_rungs_of_the_original_lies_the_pruned_original(name: str, scales: str) -> None:
    net = elastic(name, scales=scales).with_widths(NEW, None, round_to=1)
    assert net.names == ("w100", "w080", "w060", "w045", "w030")
    inputs = random_inputs(net.base)
    for rung in net.ladder.rungs:
        outputs = run(net.rung(rung.name), inputs)
        assert difference(masked(net.graph, rung.plan, inputs), outputs) < 1e-9
        assert difference(outputs, run(net.cut(rung.name), inputs)) == 0


@pytest.mark.parametrize("name", ["residual", "dense_after_flatten"])
def test_rungs_there_were_stay_and_new_ones_nest_and_are_their_cuts(name: str) -> None:
    before = disturbed(elastic(name))
    images = random_inputs(before.base, count=8)
    net = before.with_widths(NEW, images[0], round_to=1)
    for wide, narrow in pairwise(net.ladder.rungs):
        sizes = [(len(wide.plan.keep[g]), len(narrow.plan.keep[g])) for g in wide.plan.keep]
        assert all(more >= less for more, less in sizes)
        assert any(more > less for more, less in sizes)
    for rung in before.names:
        assert np.array_equal(run(before.rung(rung), images)[0], run(net.rung(rung), images)[0])
    outputs = {rung: run(net.rung(rung), images)[0] for rung in net.names}
    assert all(np.array_equal(outputs[rung], run(net.cut(rung), images)[0]) for rung in net.names)
    assert not np.allclose(outputs["w080"], outputs["w060"])
    for first, second in zip(before.base.weights, net.base.weights, strict=True):
        assert first is not second  # The network there was is not trained along.


def test_own_weights_are_means_and_statistics_are_measured() -> None:
    before = disturbed(elastic("residual"))
    (images,) = random_inputs(before.base, count=8)
    net = before.with_widths([0.45], images, round_to=1)
    wide, new, narrow = (net.rung(name) for name in ("w060", "w045", "w030"))
    measured = set(map(id, new.statistics))
    fewer = 0
    for key, variable in new.own.items():
        if id(variable) in measured:
            continue
        value, above, below = (view.own[key].numpy() for view in (new, wide, narrow))
        both = slice(len(below))
        np.testing.assert_allclose(value[both], (above[both] + below) / 2, rtol=1e-6)
        np.testing.assert_array_equal(value[len(below) :], above[len(below) : len(value)])
        fewer += len(below) < len(value) < len(above)
    assert fewer
    statistics = [variable.numpy() for variable in new.statistics]
    net.rung("w045").recalibrate(images + 1.0)
    assert all(
        not np.array_equal(old, after)
        for old, after in zip(statistics, new.statistics, strict=True)
    )


def test_one_wrong_own_channel_is_seen() -> None:
    net = disturbed(elastic("residual")).with_widths([0.8], None, round_to=1)
    inputs = random_inputs(net.base)
    right = run(net.cut("w080"), inputs)[0]
    for variable in net.rung("w080").own.values():
        value = variable.numpy()
        variable.assign(np.concatenate([value[:1] * 1.01, value[1:]]))
        assert not np.array_equal(run(net.rung("w080"), inputs)[0], right), variable.path
        variable.assign(value)


def test_widths_outside_the_ladder_and_widths_that_change_nothing_are_refused() -> None:
    net = elastic("residual")
    for width in (1.0, 0.6, 0.2, 1.5):
        with pytest.raises(te.errors.PlanError, match="lies between two of the ladder's widths"):
            net.with_widths([width], None)
    with pytest.raises(te.errors.PlanError, match="'w061' and 'w060' would keep the same channels"):
        net.with_widths([0.61], None)


def test_new_widths_are_saved_and_train_on(tmp_path: Path) -> None:
    net = disturbed(elastic("residual")).with_widths([0.8], None, round_to=1)
    (images,) = random_inputs(net.base, count=8)
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    assert loaded.names == net.names
    assert np.array_equal(run(loaded.cut("w080"), [images])[0], run(net.rung("w080"), [images])[0])
    loaded.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=True)
    before = [v.numpy() for v in loaded.rung("w080").statistics]
    loaded.train_on_batch(images, np.zeros((8, 3)))
    after = loaded.rung("w080").statistics
    assert all(not np.array_equal(old, new) for old, new in zip(before, after, strict=True))
