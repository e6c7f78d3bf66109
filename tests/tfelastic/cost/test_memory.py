"""The arena's high-water mark, against peaks that were worked out by hand."""

import keras
import pytest
from keras import layers

import tfelastic as te
from tests.support.random_models import build, every_recipe
from tfelastic._cost import lower
from tfelastic._cost.memory import IN_PLACE
from tfelastic._plan import Selection
from tflite_export.arena import in_place


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


def test_an_addition_writes_over_what_nothing_reads_again() -> None:
    image = keras.Input((8, 8, 8))
    x = layers.Conv2D(8, 1)(image)
    inside = layers.Conv2D(8, 1)(x)
    y = layers.Add()([x, inside])
    assert peaks(keras.Model(image, y))[0] == 2 * 512
    # What is read again, or is an output, is kept.
    assert (
        peaks(keras.Model(image, layers.Conv2D(8, 1)(layers.Concatenate()([x, y]))))[0] == 4 * 512
    )
    assert peaks(keras.Model(image, [x, inside, y]))[0] == 3 * 512


def test_a_gate_is_too_small_to_be_written_over() -> None:
    image = keras.Input((8, 8, 8))  # 512
    x = layers.Conv2D(8, 1)(image)
    gate = layers.Conv2D(8, 1, activation="sigmoid")(
        layers.GlobalAveragePooling2D(keepdims=True)(x)
    )
    assert peaks(keras.Model(image, layers.Multiply()([gate, x])))[0] == 2 * 512
    assert peaks(keras.Model(image, [x, layers.Multiply()([gate, x])]))[0] == 2 * 512 + 16


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


@pytest.mark.parametrize("name", every_recipe())
def test_what_is_needed_at_each_moment_is_counted_by_walking_the_operations(name: str) -> None:
    lowered = lower(Selection(te.trace(build(every_recipe()[name]))))
    held, most = set(lowered.inputs), 0
    for moment, operation in enumerate(lowered.operations):
        later = {v for other in lowered.operations[moment + 1 :] for v in other.reads}
        kept = held & (later | set(lowered.outputs) | set(operation.reads))
        dying = [v for v in operation.reads if v not in later and v not in lowered.outputs]
        size = lowered.sizes[operation.makes[0]]
        over = [v for v in dying if lowered.sizes[v] == size and operation.kind in IN_PLACE]
        total = sum(16 * -(-lowered.sizes[v] // 16) for v in kept - set(over[:1]))
        # A transposed convolution sums into 32-bit numbers.
        scratch = 16 * -(-4 * size // 16) if operation.kind == "TRANSPOSE_CONV" else 0
        made = sum(16 * -(-lowered.sizes[v] // 16) for v in operation.makes)
        most = max(most, total + made + scratch)
        held = (kept - set(dying)) | set(operation.makes)
    assert te.cost(build(every_recipe()[name])).peak_bytes == most


def test_what_may_be_in_place_here_is_so_on_the_device() -> None:
    assert in_place.IN_PLACE > IN_PLACE


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


def test_a_transposed_convolution_sums_into_numbers_of_32_bits() -> None:
    image = keras.Input((8, 8, 4))  # 256
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same")(image)  # 1,024
    assert peaks(keras.Model(image, x)) == (256 + 1024 + 4 * 1024, 4 * (256 + 1024))
