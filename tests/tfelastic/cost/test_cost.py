"""Costs against numbers worked out by hand and published ones."""

import json

import keras
import pytest
from keras import layers

import tfelastic as te
from tfelastic.errors import CostError


def test_a_network_counted_by_hand() -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.DepthwiseConv2D(3, strides=2, padding="same", name="depthwise"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(10, name="logits"),
        ]
    )
    cost = te.cost(model)
    assert [
        (layer.path, layer.params, layer.macs, layer.activation_bytes) for layer in cost.layers
    ] == [
        ("conv", 3 * 3 * 3 * 4, 8 * 8 * 3 * 3 * 3 * 4, 8 * 8 * 4),
        ("norm", 4 * 4, 0, 8 * 8 * 4),
        ("depthwise", 3 * 3 * 4 + 4, 4 * 4 * 3 * 3 * 4, 4 * 4 * 4),
        ("pool", 0, 0, 4),
        ("logits", 4 * 10 + 10, 4 * 10, 10),
    ]
    assert cost.params == 108 + 16 + 40 + 50 == model.count_params()
    assert cost.macs == 6912 + 576 + 40
    # The convolution: 192 bytes of pixels and 256 of channels; the norm is folded into it.
    assert cost.peak_bytes == 192 + 256
    assert cost.peak_bytes_float == 4 * (192 + 256)
    # Every value once: pixels, convolution with the norm in it, depthwise convolution, pool, logits.
    assert te.activation_bytes(model) == 192 + 256 + 64 + 4 + 10


def test_a_shortcut_is_alive_while_its_branch_runs() -> None:
    inputs = keras.Input((4, 4, 2))
    branch = layers.Conv2D(6, 1)(inputs)
    model = keras.Model(inputs, layers.Add()([inputs, layers.Conv2D(2, 1)(branch)]))
    # In the branch's second convolution: the shortcut 32, its input 96 and its output 32.
    assert te.cost(model).peak_bytes == 32 + 96 + 32


def test_shared_weights_are_counted_once_and_their_work_twice() -> None:
    inputs = keras.Input((4,))
    layer = layers.Dense(4, name="shared")
    cost = te.cost(keras.Model(inputs, layer(layer(inputs))))
    assert (cost.params, cost.macs, len(cost.layers)) == (20, 32, 1)


def test_the_kinds_of_convolution() -> None:
    for layer, params, macs in [
        (layers.Conv2D(6, 3, groups=2), 3 * 3 * 2 * 6 + 6, 4 * 4 * 3 * 3 * 2 * 6),
        (layers.SeparableConv2D(5, 3), 3 * 3 * 4 + 4 * 5 + 5, 4 * 4 * (3 * 3 * 4 + 4 * 5)),
        (layers.Conv2DTranspose(5, 2, strides=2), 2 * 2 * 4 * 5 + 5, 6 * 6 * 2 * 2 * 4 * 5),
        (layers.Conv2D(5, 3, dilation_rate=2), 3 * 3 * 4 * 5 + 5, 2 * 2 * 3 * 3 * 4 * 5),
    ]:
        cost = te.cost(keras.Sequential([keras.Input((6, 6, 4)), layer]))
        assert (cost.params, cost.macs) == (params, macs), layer.name


def test_resnet20_as_published() -> None:
    """He et al., Deep Residual Learning, table 6: 0.27 M parameters; 40.8 M multiply-adds (3x32x32, 10 classes)."""
    cost = te.cost(te.zoo.build("resnet20", input_shape=(32, 32, 3), classes=10))
    assert round(cost.params / 1e6, 2) == 0.27
    assert cost.macs / 1e6 == pytest.approx(40.8, rel=0.01)


def test_json_round_trip() -> None:
    cost = te.cost(keras.Sequential([keras.Input((4,)), layers.Dense(3)]))
    assert te.Cost.from_json(json.loads(json.dumps(cost.to_json()))) == cost


def test_an_open_input_size_is_refused() -> None:
    model = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3)])
    with pytest.raises(
        CostError, match=r"depends on its input size.*fix it, for example with keras"
    ):
        te.cost(model)


def convolutions(size: int | None) -> keras.Model:
    x = inputs = keras.Input((size, size, 3))
    for number in range(3):
        x = layers.Conv2D(16, 3, padding="same", activation="relu", name=f"conv{number}")(x)
    return keras.Model(inputs, layers.Conv2D(3, 3, padding="same", name="out")(x))


def test_budget_of_parameters_needs_no_input_size() -> None:
    fixed, unknown = convolutions(32), convolutions(None)
    unknown.set_weights(fixed.get_weights())
    budget = te.Budget(params=0.5)
    plans = [te.plan(model, budget=budget) for model in (fixed, unknown)]
    assert plans[0].keep == plans[1].keep
    pruned = te.prune(unknown, plans[1])
    assert pruned.count_params() == te.cost(fixed, plans[0]).params
    assert te.spending(unknown, plans[1], budget).spent["params"] == pruned.count_params()
    with pytest.raises(te.errors.CostError, match=r"clone_model\(model, input_tensors"):
        te.plan(unknown, budget=te.Budget(macs=0.5))


def test_layer_with_several_outputs_and_an_activation_is_one_operation() -> None:
    x = inputs = keras.Input((16, 4))
    x = layers.Conv1D(8, 3, activation="relu", name="maker")(x)
    x = layers.Conv1D(8, 3, activation="relu")(x)
    _, *states = layers.LSTM(4, return_state=True)(x)
    model = keras.Model(inputs, layers.Dense(3)(layers.Concatenate()(states)))
    assert te.cost(model).peak_bytes > 0
    assert te.plan(model, budget=te.Budget(macs=0.7), round_to=2).keep


@keras.saving.register_keras_serializable("tests")
class ResidualPart(layers.Layer):
    """A layer made of layers."""

    def __init__(self, **options):
        super().__init__(**options)
        self.one = layers.Conv2D(8, 3, padding="same")
        self.two = layers.Conv2D(8, 1)

    def build(self, shape):
        self.one.build(shape)
        self.two.build(shape)

    def call(self, x, training=True):
        y = self.two(keras.ops.relu(self.one(x)))
        return x + (keras.random.normal((1,)) if training else y)


def test_layer_made_of_layers_costs_what_is_inside() -> None:
    x = inputs = keras.Input((6, 6, 3))
    part = ResidualPart(name="part")
    x = part(layers.Conv2D(8, 1, name="maker")(x))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(part(x))))
    before = [len(each._inbound_nodes) for each in (part.one, part.two, part)]
    inside = 2 * 36 * (9 * 8 * 8 + 8 * 8)
    assert te.cost(model).macs == 36 * 3 * 8 + inside + 288 * 2
    assert [len(each._inbound_nodes) for each in (part.one, part.two, part)] == before
    with pytest.raises(te.errors.BudgetError, match="no rule describes part, kept as they are"):
        te.plan(model, budget=te.Budget(macs=0.5), round_to=1)
