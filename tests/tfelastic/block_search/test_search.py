"""Direct removal: the net without a block is really measured, the best one goes, and nothing found is lost."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te

SCALES = {"a": 3.0, "b": 0.1, "c": 1.0, "d": 0.1}


@pytest.fixture
def model() -> keras.Model:
    """Four blocks: block k adds its scale to the first of three logits, so every score is known by hand.

    `d` has more weights than `b`, which hurts as little.
    """
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((3,))
    for name, scale in SCALES.items():
        y = layers.Dense(8 if name == "d" else 2, name=f"{name}_hidden")(x)
        last = layers.Dense(3, name=f"{name}_last")
        y = last(y)
        last.kernel.assign(keras.ops.zeros_like(last.kernel))
        last.bias.assign([scale, 0.0, 0.0])
        x = layers.Add(name=name)([x, y])
    return keras.Model(inputs, x)


def shift(model: keras.Model) -> float:
    """Return what the blocks add to the first logit; used as a score, so large blocks hurt most."""
    return float(model(np.zeros((1, 3)), training=False)[0, 0])


def without(*names: str) -> float:
    return sum(scale for name, scale in SCALES.items() if name not in names)


def test_each_step_drops_the_block_that_hurts_least(model: keras.Model) -> None:
    report = te.remove_blocks(model, evaluate=shift, budget=3)
    assert report.candidates == ("a", "b", "c", "d")
    assert report.plan.removed == ("d", "b", "c"), "of b and d, of equal score, d saves more"
    assert report.score == pytest.approx(without())
    gone: list[str] = []
    for step in report.steps:
        assert step.scores == pytest.approx(
            {name: without(*gone, name) for name in SCALES if name not in gone}
        )
        gone.append(step.removed)
        assert step.score == pytest.approx(without(*gone))
        assert step.spent["params"] == te.prune(model, report.plan_after(len(gone))).count_params()
    assert shift(model) == pytest.approx(without()), "the model itself is only read"
    assert report.model is not None
    assert shift(report.model) == shift(te.prune(model, report.plan))


def test_a_resource_budget_ends_the_search_where_it_is_met(model: keras.Model) -> None:
    report = te.remove_blocks(model, evaluate=shift, budget=te.Budget(params=0.4))
    shares = [step.spent["params"] / report.original_cost["params"] for step in report.steps]
    assert shares[-1] <= 0.4 < shares[-2]
    assert report.limits["params"] == 0.4 * model.count_params()


def test_a_floor_ends_the_search_before_it_is_broken(model: keras.Model) -> None:
    report = te.remove_blocks(model, evaluate=shift, floor=3.5)
    assert report.plan.removed == ("d", "b")
    assert report.refused is not None
    assert report.refused.removed == "c"
    assert report.refused.scores == pytest.approx({"a": 1.0, "c": 3.0})
    assert "floor" in report.stopped
    assert len(te.remove_blocks(model, evaluate=shift, floor=0.0).steps) == 4
    assert len(te.remove_blocks(model, evaluate=shift, floor=3.5, budget=1).steps) == 1


def test_per_saving_weighs_the_loss_against_the_cost(model: keras.Model) -> None:
    """Block c costs 17 parameters for a loss of 1, d 59 for a loss of 2."""
    model.get_layer("d_last").bias.assign([2.0, 0.0, 0.0])
    model.get_layer("b_last").bias.assign([2.0, 0.0, 0.0])
    plain = te.remove_blocks(model, evaluate=shift, budget=1)
    weighed = te.remove_blocks(model, evaluate=shift, budget=1, per="saving")
    assert plain.plan.removed == ("c",)
    assert weighed.plan.removed == ("d",)


def test_no_more_saving_counts_than_the_budget_still_needs(model: keras.Model) -> None:
    """Of 110 parameters 10 must go: block c costs 17 for a loss of 1, d 59 for a loss of 2."""
    model.get_layer("d_last").bias.assign([2.0, 0.0, 0.0])
    model.get_layer("b_last").bias.assign([2.0, 0.0, 0.0])
    assert model.count_params() == 110
    options = {"evaluate": shift, "per": "saving"}
    near = te.remove_blocks(model, budget=te.Budget(params=100), **options)
    assert near.plan.removed == ("c",)
    far = te.remove_blocks(model, budget=te.Budget(params=60), **options)
    assert far.plan.removed == ("d",)


def test_an_order_is_followed_whatever_the_score(model: keras.Model) -> None:
    report = te.remove_blocks(model, evaluate=shift, budget=2, order=("a", "c", "b", "d"))
    assert report.plan.removed == ("a", "c")
    assert [list(step.scores) for step in report.steps] == [["a"], ["c"]]
    orders = {te.random_blocks(model, seed=seed) for seed in range(9)}
    assert len(orders) > 1
    assert all(sorted(order) == list("abcd") for order in orders)
    assert te.random_blocks(model, seed=1) == te.random_blocks(model, seed=1)


def test_the_smallest_blocks_are_those_with_the_smallest_kernels(model: keras.Model) -> None:
    for name, size in {"a": 2.0, "b": 4.0, "c": 1.0, "d": 3.0}.items():
        kernel = model.get_layer(f"{name}_hidden").kernel
        kernel.assign(np.full(kernel.shape, size / math.sqrt(np.prod(kernel.shape))))
        model.get_layer(f"{name}_last").bias.assign([-9.0 * size, 0.0, 0.0])
    assert te.smallest_blocks(model) == ("c", "a", "d", "b")


def test_the_net_that_a_step_leaves_may_be_changed_in_place() -> None:
    x = inputs = keras.Input((4,))
    for name in "ab":
        y = layers.Dense(4, kernel_initializer="zeros", bias_initializer="ones")(x)
        x = layers.Add(name=name)([x, y])
    model = keras.Model(inputs, layers.BatchNormalization(name="norm")(x))
    images = np.random.default_rng(0).normal(5.0, 1.0, (32, 4)).astype("float32")
    tuned = []

    def evaluate(net: keras.Model) -> float:
        return -float(np.abs(net.predict(images, verbose=0).mean()))

    def heal(net: keras.Model) -> None:
        te.recalibrate(net, images)
        tuned.append(net)

    report = te.remove_blocks(model, evaluate=evaluate, budget=2, after_step=heal)
    assert [len(te.trace(net).blocks) for net in tuned] == [1, 0]
    last = report.steps[-1]
    assert last.scores[last.removed] < -0.5, "the old statistics no longer fit"
    assert last.score > -1e-3
    assert report.model is tuned[-1]
    assert evaluate(model) < -1, "the model itself is only read"


def test_the_report_survives_json_and_reads_as_a_table(model: keras.Model) -> None:
    report = te.remove_blocks(model, evaluate=shift, floor=3.5)
    again = te.BlockReport.from_json(json.loads(json.dumps(report.to_json())))
    assert again == report
    assert again.model is None
    rows = str(report).splitlines()
    assert len(rows) == 5
    assert rows[1].split()[:3] == ["0", "original", "4.2000"]
    assert rows[2].split()[:4] == ["1", "d", "4.1000", "4.1000"]
    for wrong in ({}, {**report.to_json(), "steps": []}):
        with pytest.raises(te.errors.PlanError):
            te.BlockReport.from_json(wrong)


class Counted:
    """An evaluation that stops the search, like a kill, after `calls` calls."""

    def __init__(self, calls: int, then: Callable[[], object]) -> None:
        self.calls, self.done, self._then = calls, 0, then

    def __call__(self, net: keras.Model) -> float:
        if self.done == self.calls:
            self._then()
        self.done += 1
        return shift(net)


def stop() -> None:
    raise KeyboardInterrupt


def add_noise(net: keras.Model) -> None:
    """Stand in for a training: change weights in a way that depends on nothing but the net."""
    for layer in net.layers:
        if layer.name.endswith("_last"):
            layer.bias.assign(layer.bias * 1.25)


@pytest.mark.parametrize("calls", [1, 3, 6, 11])
def test_a_search_goes_on_after_the_last_candidate(
    model: keras.Model, tmp_path: Path, calls: int
) -> None:
    """Ten evaluations and three fine-tuned nets make a whole search."""
    options = {"budget": 3, "after_step": add_noise}
    expected = te.remove_blocks(model, evaluate=shift, **options)
    with pytest.raises(KeyboardInterrupt):
        te.remove_blocks(model, evaluate=Counted(calls, stop), checkpoint=tmp_path, **options)
    rest = Counted(99, stop)
    report = te.remove_blocks(model, evaluate=rest, checkpoint=tmp_path, **options)
    assert report == expected
    assert rest.done == 1 + 4 + 1 + 3 + 1 + 2 + 1 - calls, "nothing is measured twice"
    assert report.model is not None
    assert expected.model is not None
    assert shift(report.model) == shift(expected.model)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["search.npz", "step003.npz"]
    finished = te.remove_blocks(model, evaluate=Counted(0, stop), checkpoint=tmp_path, **options)
    assert finished == expected


def test_the_checkpoint_of_another_search_is_refused(model: keras.Model, tmp_path: Path) -> None:
    te.remove_blocks(model, evaluate=shift, budget=1, checkpoint=tmp_path)
    with pytest.raises(te.errors.CheckpointError, match=r"begun with another count"):
        te.remove_blocks(model, evaluate=shift, budget=2, checkpoint=tmp_path)
    model.get_layer("a_last").bias.assign([7.0, 0.0, 0.0])
    with pytest.raises(te.errors.CheckpointError, match="begun with another weights"):
        te.remove_blocks(model, evaluate=shift, budget=1, checkpoint=tmp_path)
    (tmp_path / "search.npz").write_text("{")
    with pytest.raises(te.errors.CheckpointError, match="delete it"):
        te.remove_blocks(model, evaluate=shift, budget=1, checkpoint=tmp_path)


@pytest.mark.parametrize("value", [math.nan, math.inf, [0.5], np.array([0.5]), None, "high"])
def test_an_evaluation_without_a_number_stops_with_what_was_found(
    model: keras.Model, value: object
) -> None:
    seen = []

    def evaluate(net: keras.Model) -> object:
        seen.append(net)
        return shift(net) if len(seen) < 8 else value

    with pytest.raises(te.errors.SearchError, match="one finite number") as failure:
        te.remove_blocks(model, evaluate=evaluate, budget=4)
    report = failure.value.report
    assert isinstance(report, te.BlockReport)
    assert report.plan.removed == ("d",)


def test_a_budget_out_of_reach_is_refused_before_anything_is_measured(model: keras.Model) -> None:
    tail = keras.Model(model.input, layers.Dense(50)(model.output))
    for budget in (te.Budget(params=0.3), 5, 0):
        with pytest.raises(te.errors.BudgetError, match=r"4 blocks"):
            te.remove_blocks(tail, evaluate=Counted(0, stop), budget=budget)
    with pytest.raises(te.errors.BudgetError, match="floor"):
        te.remove_blocks(model, evaluate=shift, floor=5.0)
    with pytest.raises(te.errors.BudgetError, match="give a budget"):
        te.remove_blocks(model, evaluate=shift)
    with pytest.raises(te.errors.BudgetError, match="per must be"):
        te.remove_blocks(model, evaluate=shift, budget=1, per="gain")


def test_an_order_that_ends_too_soon_keeps_what_was_done(model: keras.Model) -> None:
    with pytest.raises(te.errors.SearchError, match="no block is left") as failure:
        te.remove_blocks(model, evaluate=shift, budget=te.Budget(params=0.1), order=("c", "a"))
    assert failure.value.report.plan.removed == ("c", "a")
    with pytest.raises(te.errors.SearchError, match="the order names"):
        te.remove_blocks(model, evaluate=shift, budget=1, order=("z",))


def test_a_model_without_blocks_says_why() -> None:
    inputs = keras.Input((3,))
    x = layers.Add(name="sum")([layers.Dense(4, name="way")(inputs), layers.Dense(4)(inputs)])
    with pytest.raises(te.errors.SearchError, match="sum: it starts with shape"):
        te.remove_blocks(keras.Model(inputs, x), evaluate=shift, budget=1)


def test_nested_blocks_go_together(model: keras.Model) -> None:
    """Once the outer block is gone, the inner one is no candidate any more."""
    inputs = keras.Input((3,))
    inner = layers.Add(name="inner")([inputs, layers.Dense(3)(inputs)])
    outer = layers.Add(name="outer")([inputs, layers.Dense(3)(inner)])
    nested = keras.Model(inputs, outer)

    def evaluate(net: keras.Model) -> float:
        return float("outer" not in {layer.name for layer in net.layers})

    report = te.remove_blocks(nested, evaluate=evaluate, floor=0.0)
    assert report.plan.removed == ("outer",)
    assert set(report.steps[0].scores) == {"inner", "outer"}
    with pytest.raises(te.errors.SearchError, match="only 1 of 2") as failure:
        te.remove_blocks(nested, evaluate=evaluate, budget=2)
    assert failure.value.report.plan.removed == ("outer",)
