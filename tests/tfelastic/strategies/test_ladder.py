"""Ladders of a model: ranked once, nested, and what cannot be laddered."""

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
from tfelastic.criteria import Criterion
from tfelastic.errors import CriterionError, PlanError


def model_with_norms(norms: list[float]) -> keras.Model:
    model = keras.Sequential(
        [keras.Input((1,)), layers.Dense(len(norms), name="hidden"), layers.Dense(2)]
    )
    model.get_layer("hidden").kernel.assign([norms])
    return model


def test_the_largest_filters_come_first() -> None:
    ladder = te.ladder(model_with_norms([1.0, -4.0, 2.0, 3.0]), round_to=1)
    assert [rung.plan.keep["hidden"] for rung in ladder.rungs] == [
        (1, 3, 2, 0),
        (1, 3, 2),
        (1, 3),
        (1,),
    ]
    assert ladder.names == ("w100", "w075", "w050", "w025")


def test_equal_filters_keep_their_order() -> None:
    assert te.ladder(model_with_norms([1.0] * 4)).rungs[0].plan.keep["hidden"] == (0, 1, 2, 3)


@pytest.mark.parametrize(
    "widths", [(), (0.5,), (1.0, 1.0), (1.0, 0.5, 0.75), (1.0, 0.0), (1.0, -0.5), (2.0, 1.0)]
)
def test_widths_that_do_not_fall_from_one_are_refused(widths: tuple[float, ...]) -> None:
    with pytest.raises(PlanError, match="the widths of a ladder fall from 1 and stay above 0"):
        te.ladder(model_with_norms([1.0, 2.0]), widths=widths)


def test_a_model_with_nothing_to_prune_is_refused() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    with pytest.raises(PlanError, match=r"no channels of model .* can be pruned"):
        te.ladder(model)


def test_an_unknown_criterion_is_refused() -> None:
    with pytest.raises(
        CriterionError, match=r"unknown criterion 'magnitud'.*did you mean 'magnitude'"
    ):
        te.ladder(model_with_norms([1.0, 2.0]), criterion="magnitud")


def test_a_criterion_of_ones_own() -> None:
    class Last(Criterion):
        def score(self, graph: te.LayerGraph) -> dict[str, np.ndarray]:
            return {group.name: np.arange(group.size) for group in graph.prunable}

    ladder = te.ladder(model_with_norms([9.0, 1.0, 1.0, 1.0]), criterion=Last())
    assert ladder.rungs[0].plan.keep["hidden"] == (3, 2, 1, 0)
