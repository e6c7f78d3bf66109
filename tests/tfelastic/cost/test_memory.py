"""The arena's high-water mark, against peaks that were worked out by hand."""

from itertools import combinations

import hypothesis.strategies as st
import keras
import numpy as np
import pytest
from hypothesis import given
from keras import layers

import tfelastic as te
from tfelastic._cost import lower
from tfelastic._cost.memory import arena_bytes
from tfelastic._plan import Selection


def peaks(model: keras.Model) -> tuple[int, int]:
    cost = te.cost(model)
    return cost.peak_bytes, cost.peak_bytes_float


def test_a_chain_peaks_where_two_neighbours_are_largest() -> None:
    image = keras.Input((8, 8, 4))  # 256 values
    x = layers.Conv2D(8, 3, padding="same")(image)  # 512, BatchNorm folded, ReLU fused
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)  # 1,024
    x = layers.Dropout(0.5)(layers.MaxPooling2D(2)(x))  # 256
    x = layers.Dense(10)(layers.Flatten()(x))
    assert peaks(keras.Model(image, x)) == (512 + 1024, 4 * (512 + 1024))


def test_a_shortcut_lives_until_the_addition() -> None:
    image = keras.Input((8, 8, 4))
    x = layers.Conv2D(8, 3, padding="same")(image)  # 512, the shortcut
    y = layers.Conv2D(16, 3, padding="same")(x)  # 1,024
    y = layers.Conv2D(8, 3, padding="same")(y)  # 512
    y = layers.ReLU()(layers.Add()([x, y]))
    # While the second convolution runs, the shortcut, its input and its output are all there.
    assert peaks(keras.Model(image, y))[0] == 512 + 1024 + 512


def test_an_addition_is_not_carried_out_in_place() -> None:
    image = keras.Input((8, 8, 8))
    x = layers.Conv2D(8, 1)(image)
    y = layers.Add()([x, layers.Conv2D(8, 1)(x)])
    assert peaks(keras.Model(image, y))[0] == 3 * 512


def test_a_concatenation_holds_its_parts_and_their_copy() -> None:
    image = keras.Input((4, 4, 4))
    parts = [layers.Conv2D(filters, 1)(image) for filters in (4, 8, 16)]
    joined = layers.Concatenate()(parts)
    assert peaks(keras.Model(image, joined))[0] == 2 * 16 * (4 + 8 + 16)


def test_padding_and_rescaling_make_values_of_their_own() -> None:
    image = keras.Input((8, 8, 4))  # 256
    x = layers.Rescaling(2.0, offset=-1.0)(image)
    x = layers.ZeroPadding2D(1)(x)  # 10 x 10 x 4 = 400
    x = layers.Conv2D(1, 3, strides=2)(x)  # 16
    assert peaks(keras.Model(image, x))[0] == 256 + 400


def test_batch_norm_that_cannot_be_folded_takes_two_operations() -> None:
    image = keras.Input((8, 8, 4))
    x = layers.Conv2D(8, 1)(image)  # 512
    y = layers.ReLU()(layers.BatchNormalization()(x))  # x is read again: a MUL and an ADD
    y = layers.Conv2D(8, 1)(y)
    assert peaks(keras.Model(image, layers.Add()([x, y])))[0] == 3 * 512


def test_values_start_at_multiples_of_sixteen_bytes() -> None:
    model = keras.Sequential([keras.Input((5,)), layers.Dense(17)])
    assert peaks(model) == (16 + 32, 32 + 80)


def test_a_branch_runs_in_the_order_of_its_name() -> None:
    def peak(wide: str, narrow: str) -> int:
        image = keras.Input((4, 4, 16), name="image")  # 256
        one = layers.Conv2D(1, 1, name=f"{wide}_out")(layers.Conv2D(64, 1, name=wide)(image))
        two = layers.Conv2D(16, 1, name=narrow)(image)
        return peaks(keras.Model(image, layers.Concatenate(name="zz")([one, two])))[0]

    # The image, the wide branch's 1,024 bytes and its result. Where the narrow branch runs first, its 256 bytes lie
    # beside the wide ones instead.
    assert peak("a", "b") == 256 + 1024 + 16
    assert peak("b", "a") == 256 + 1024 + 256


def test_a_removed_block_takes_no_memory() -> None:
    image = keras.Input((8, 8, 4))
    x = layers.Conv2D(8, 3, padding="same")(image)
    y = layers.Conv2D(64, 3, padding="same")(x)
    y = layers.Add(name="add")([x, layers.Conv2D(8, 3, padding="same")(y)])
    model = keras.Model(image, layers.GlobalAveragePooling2D()(y))
    graph = te.trace(model)
    plan = te.KeepPlan(graph.fingerprint, {}, frozenset({"add"}))
    assert te.cost(graph, plan).peak_bytes == te.cost(te.prune(model, plan)).peak_bytes == 256 + 512


VALUES = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12
)


@given(VALUES)
def test_an_arena_holds_what_is_alive_and_no_more_than_everything(
    values: list[tuple[int, int, int]],
) -> None:
    sizes = np.array([size for size, _, _ in values])
    births, deaths = (np.array([f(a, b) for _, a, b in values]) for f in (min, max))
    alive = max(int(sizes[(births <= m) & (deaths >= m)].sum()) for m in range(10))
    assert alive <= arena_bytes(sizes, births, deaths) <= sizes.sum()
    apart = all(
        births[i] > deaths[j] or births[j] > deaths[i]
        for i, j in combinations(range(len(sizes)), 2)
    )
    if apart:
        assert arena_bytes(sizes, births, deaths) == sizes.max()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_bilinear_upsampling_is_one_operation(size: int) -> None:
    x = inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(8, 3, padding="same")(x)
    x = keras.layers.UpSampling2D(size, interpolation="bilinear")(x)
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1)(x))
    kinds = [operation.kind for operation in lower(Selection(te.trace(model))).operations]
    assert kinds == ["CONV_2D", "RESIZE_BILINEAR", "CONV_2D"]
    large = (8 * size) ** 2
    assert te.cost(model).peak_bytes == max(64 * (3 + 8), 64 * 8 + large * 8, large * (8 + 2))
