"""How widths become channel counts."""

import keras
import pytest
from keras import layers

import tfelastic as te
from tfelastic.errors import BudgetError
from tfelastic.strategies import kept_units

WIDTHS = (1.0, 0.75, 0.5, 0.25)


def counts(channels: int, *, round_to: int = 8) -> list[int]:
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(channels, name="hidden"), layers.Dense(2)]
    )
    group = te.trace(model).group("hidden")
    return [kept_units(group, width, round_to) for width in WIDTHS]


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (64, [64, 48, 32, 16]),
        (32, [32, 24, 16, 8]),
        (16, [16, 12, 8, 4]),
        (24, [24, 20, 12, 8]),
        (20, [20, 16, 12, 4]),
        (3, [3, 2, 2, 1]),
        (1, [1, 1, 1, 1]),
    ],
)
def test_multiples_of_eight_or_a_quarter_of_the_group(channels: int, expected: list[int]) -> None:
    assert counts(channels) == expected


def test_multiples_of_four() -> None:
    assert counts(24, round_to=4) == [24, 20, 12, 8]
    assert counts(18, round_to=4) == [18, 12, 8, 4]


def test_a_unit_of_several_channels_counts_as_several() -> None:
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(32, 3, groups=8, name="grouped")(layers.Conv2D(16, 1, name="stem")(inputs))
    model = keras.Model(inputs, layers.Conv2D(2, 1)(x))
    (group,) = te.trace(model).prunable
    assert (group.size, group.channels) == (8, 2)
    assert [kept_units(group, width, 8) for width in WIDTHS] == [8, 6, 4, 2]


def test_rounding_to_nothing_is_refused() -> None:
    with pytest.raises(BudgetError, match="round_to must be 1 or more channels, received 0"):
        counts(16, round_to=0)
