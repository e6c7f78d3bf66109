"""Criteria that look at weights alone, on numbers worked out by hand."""

import keras
import numpy as np
import pytest

import tfelastic as te
from tfelastic.criteria import BatchNormScale, GeometricMedian, Magnitude, Random, resolve
from tfelastic.errors import CriterionError

layers = keras.layers


def chain(*, norm: bool = False, scale: bool = True) -> keras.Model:
    """Return 2 inputs, 3 hidden units with filters (3, 4), (0, 0), (3, -4), 1 output."""
    between = [layers.BatchNormalization(scale=scale, name="norm")] if norm else []
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(3, name="hidden"), *between, layers.Dense(1, name="out")]
    )
    model.get_layer("hidden").kernel.assign([[3.0, 0.0, 3.0], [4.0, 0.0, -4.0]])
    return model


def test_magnitude_is_the_norm_of_the_filters():
    graph = te.trace(chain())
    np.testing.assert_allclose(Magnitude().score(graph)["hidden"], [5, 0, 5])
    np.testing.assert_allclose(Magnitude(order=1).score(graph)["hidden"], [7, 0, 7])


@pytest.mark.parametrize(("name", "order"), [("l1", 1), ("l2", 2), ("magnitude", 2)])
def test_names_of_the_norms(name, order):
    graph = te.trace(chain())
    np.testing.assert_array_equal(
        resolve(name).score(graph)["hidden"], Magnitude(order).score(graph)["hidden"]
    )


def test_coupled_layers_add_up():
    inputs = keras.Input((2,))
    added = layers.Add()(
        [layers.Dense(2, name="left")(inputs), layers.Dense(2, name="right")(inputs)]
    )
    model = keras.Model(inputs, layers.Dense(1)(added))
    model.get_layer("left").kernel.assign([[3.0, 0.0], [4.0, 1.0]])
    model.get_layer("right").kernel.assign([[0.0, 2.0], [12.0, 0.0]])
    graph = te.trace(model)
    np.testing.assert_allclose(Magnitude(1).score(graph)["left"], [3 + 4 + 12, 1 + 2])
    np.testing.assert_allclose(Magnitude(2).score(graph)["left"], [13, 5**0.5])
    # Both layers have two filters, so each filter has one distance: |(3, 3)| and |(-2, 12)|.
    apart = 18**0.5 + 148**0.5
    np.testing.assert_allclose(GeometricMedian().score(graph)["left"], [apart, apart])


def test_geometric_median_is_the_sum_of_distances():
    scores = GeometricMedian().score(te.trace(chain()))["hidden"]
    np.testing.assert_allclose(scores, [5 + 8, 5 + 5, 5 + 8])


def test_geometric_median_ignores_what_all_filters_share():
    model = chain()
    before = GeometricMedian().score(te.trace(model))["hidden"]
    model.get_layer("hidden").kernel.assign_add(np.full((2, 3), 64.0))
    np.testing.assert_allclose(
        GeometricMedian().score(te.trace(model))["hidden"], before, rtol=1e-9
    )


def test_a_unit_of_a_grouped_convolution_adds_its_filters():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Conv2D(4, 1, use_bias=False, name="first"),
            layers.Conv2D(4, 1, groups=2, use_bias=False, name="grouped"),
            layers.Conv2D(2, 1, name="last"),
        ]
    )
    model.get_layer("first").kernel.assign(np.arange(1.0, 5).reshape(1, 1, 1, 4))
    model.get_layer("grouped").kernel.assign(np.arange(8.0).reshape(1, 1, 2, 4))
    (scores,) = Magnitude(1).score(te.trace(model)).values()
    np.testing.assert_allclose(scores, [(1 + 2) + (0 + 4 + 1 + 5), (3 + 4) + (2 + 6 + 3 + 7)])


def test_batch_norm_is_the_absolute_scale():
    model = chain(norm=True)
    model.get_layer("norm").gamma.assign([0.5, -2.0, 0.0])
    np.testing.assert_allclose(BatchNormScale().score(te.trace(model))["hidden"], [0.5, 2, 0])


def test_batch_norms_of_a_unit_are_averaged():
    inputs = keras.Input((2,))
    hidden = layers.Dense(2, name="hidden")(inputs)
    norms = [layers.BatchNormalization(name=name)(hidden) for name in "ab"]
    model = keras.Model(inputs, layers.Dense(1)(layers.Add()(norms)))
    model.get_layer("a").gamma.assign([1.0, 2.0])
    model.get_layer("b").gamma.assign([-3.0, 0.0])
    np.testing.assert_allclose(BatchNormScale().score(te.trace(model))["hidden"], [2, 1])


def test_groups_without_batch_norm_are_ranked_by_magnitude_at_the_same_mean():
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(2, name="normed"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(2, name="bare"),
            layers.Dense(1),
        ]
    )
    model.get_layer("norm").gamma.assign([1.0, 5.0])
    model.get_layer("bare").kernel.assign([[3.0, 0.0], [4.0, 15.0]])
    scores = BatchNormScale().score(te.trace(model))
    np.testing.assert_allclose(scores["normed"], [1, 5])
    np.testing.assert_allclose(scores["bare"], [1.5, 4.5])  # 5 and 15, at a mean of 3.


@pytest.mark.parametrize("norm", [False, True])
def test_a_net_without_batch_norm_scales_is_refused_by_name(norm):
    with pytest.raises(CriterionError, match=r"no BatchNormalization with a scale.*hidden"):
        BatchNormScale().score(te.trace(chain(norm=norm, scale=False)))


def test_random_scores_follow_the_seed():
    graph = te.trace(chain())
    first, again, other = (Random(seed).score(graph)["hidden"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_errors_say_how_to_go_on():
    with pytest.raises(CriterionError, match="1 or 2"):
        Magnitude(order=3)
    with pytest.raises(CriterionError, match=r"needs images and labels.*Taylor\(images, labels\)"):
        resolve("taylor")
    with pytest.raises(CriterionError, match=r"needs images, .*Activation\(images\)"):
        resolve("activation")
    with pytest.raises(CriterionError, match="did you mean 'magnitude'"):
        resolve("magnitudes")
