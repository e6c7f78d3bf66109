"""Ladders of more than one shape: widths of each group's own, depth beside width, ranks taken anew."""

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
from tfelastic.errors import BudgetError, PlanError


def chain(blocks: int = 4) -> keras.Model:
    """Return a net of two chains of residual blocks, of 16 and of 32 channels."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = inputs
    for stage, filters in enumerate((16, 32)):
        x = layers.Conv2D(filters, 3, padding="same", name=f"enter{stage}")(x)
        for number in range(blocks):
            y = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
            x = layers.Add(name=f"sum{stage}{number}")([x, y])
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def sizes(rung: te.Rung) -> dict[str, int]:
    return {name: len(units) for name, units in rung.plan.keep.items()}


class FewMatter(te.criteria.Criterion):
    """Holds all channels of the first group for equal, and few of the second for worth anything."""

    def score(self, graph: te.LayerGraph) -> dict[str, np.ndarray]:
        least = {"enter0": 1.0, "enter1": 1e-3}
        return {g.name: np.geomspace(1.0, least[g.name], g.size) for g in graph.prunable}


@pytest.mark.parametrize("iterative", [False, True])
def test_global_gives_each_group_its_own_width_for_no_more_macs(iterative: bool) -> None:
    model = chain(1)
    widths = (1.0, 0.75, 0.5)
    graph = te.trace(model)
    options = {
        "widths": widths,
        "round_to": 4,
        "iterative": iterative,
        "criterion": FewMatter(),
    }
    uneven = te.ladder(model, strategy="global", **options)
    even = te.ladder(model, **options)
    assert sizes(uneven.rungs[0]) == sizes(even.rungs[0])
    for one, other in zip(uneven.rungs[1:], even.rungs[1:], strict=True):
        shares = {n: count / graph.group(n).size for n, count in sizes(one).items()}
        assert len(set(shares.values())) > 1
        assert te.cost(graph, one.plan).macs <= te.cost(graph, other.plan).macs
        assert all(count % 4 == 0 for count in sizes(one).values())


@pytest.mark.parametrize("iterative", [False, True])
def test_any_strategy_builds_a_ladder_within_the_macs_of_the_uniform_one(iterative: bool) -> None:
    graph = te.trace(chain(1))
    options = {"widths": (1.0, 0.75, 0.5, 0.25), "round_to": 4, "iterative": iterative}
    by_share = te.Complexity(mode="flops", sampling="largest")
    rungs = te.ladder(graph, strategy=by_share, **options).rungs
    uniform = te.ladder(graph, **options).rungs
    for rung, even in zip(rungs, uniform, strict=True):
        assert te.cost(graph, rung.plan).macs <= te.cost(graph, even.plan).macs
        # What comes first stays: the strategy's own criterion ranks by position.
        assert all(units == tuple(range(len(units))) for units in rung.plan.keep.values())
    plan = te.plan(
        graph,
        strategy=by_share,
        budget=te.Budget(macs=te.cost(graph, uniform[1].plan).macs),
        round_to=4,
    )
    counts = {group.name: group.size for group in graph.prunable}
    assert sizes(rungs[1]) == counts | {name: len(units) for name, units in plan.keep.items()}


def test_depth_drops_the_last_blocks_of_every_chain() -> None:
    ladder = te.ladder(chain(), widths=(1, 1, 0.5), depths=(1, 0.5, 0.5))
    assert ladder.names == ("w100d100", "w100d050", "w050d050")
    whole, shallow, small = ladder.rungs
    assert whole.plan.removed == ()
    assert shallow.plan.removed == ("sum02", "sum03", "sum12", "sum13")
    assert sizes(shallow) == sizes(whole)
    assert small.plan.removed == shallow.plan.removed
    assert all(sizes(small)[name] < count for name, count in sizes(whole).items())


@pytest.mark.parametrize(
    ("name", "removed"),
    [
        ("resnet20", ("stage1_block3", "stage2_block3", "stage3_block3")),
        (
            "mobilenet_v2_cifar",
            ("stage3_block3", "stage4_block4", "stage5_block3", "stage6_block3"),
        ),
    ],
)
def test_activations_between_blocks_do_not_part_a_chain(
    name: str, removed: tuple[str, ...]
) -> None:
    model = te.zoo.build(name, input_shape=(32, 32, 3), classes=10)
    shallow = te.ladder(model, widths=(1, 1), depths=(1, 0.6)).rungs[1]
    assert shallow.plan.removed == tuple(f"{block}_add" for block in removed)


def test_one_network_spans_width_and_depth() -> None:
    model = chain(2)
    ladder = te.ladder(model, widths=(1, 1, 0.5), depths=(1, 0.5, 0))
    net = te.ElasticModel(model, ladder)
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype("float32")
    for rung in ladder.rungs:
        pruned = te.prune(model, rung.plan)
        np.testing.assert_allclose(net.rung(rung.name)(images), pruned(images), atol=1e-5)
        assert np.array_equal(net.rung(rung.name)(images), net.cut(rung.name)(images))
        assert net.cut(rung.name).count_params() == pruned.count_params()


class Late(te.criteria.Criterion):
    """Prefers late units."""

    def score(self, graph: te.LayerGraph) -> dict[str, np.ndarray]:
        return {group.name: np.arange(group.size) for group in graph.prunable}


def test_iterative_ranks_what_is_left_anew() -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(4, name="hidden"), layers.Dense(2)])
    options = {"widths": (1, 0.75, 0.5), "round_to": 1, "criterion": Late()}
    once, anew = (te.ladder(model, **options, iterative=each) for each in (False, True))
    assert once.rungs[0].plan.keep["hidden"] == (3, 2, 1, 0)
    # The pruned model holds the units in their new order, so what was last is now preferred.
    assert anew.rungs[0].plan.keep["hidden"] == (2, 1, 0, 3)
    for ladder in (once, anew):
        assert [len(rung.plan.keep["hidden"]) for rung in ladder.rungs] == [4, 3, 2]


@pytest.mark.parametrize(
    ("widths", "depths"),
    [((1, 0.5), (1,)), ((1, 1), (1, 1)), ((1, 0.5), (0.5, 0.5)), ((1, 0.5, 0.75), (1, 0.5, 0.5))],
)
def test_shapes_that_do_not_fall_are_refused(
    widths: tuple[float, ...], depths: tuple[float, ...]
) -> None:
    with pytest.raises(PlanError, match="widths and depths are as many, start from 1"):
        te.ladder(chain(1), widths=widths, depths=depths)


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(BudgetError, match=r"unknown strategy 'globl' \(did you mean 'global'"):
        te.ladder(chain(1), strategy="globl")
