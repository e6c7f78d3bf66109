"""Criteria that are measured on data, against finite differences and plain numpy."""

import keras
import numpy as np
import pytest

import tfelastic as te
from tfelastic.criteria import Activation, Hessian, Taylor
from tfelastic.errors import CriterionError

layers = keras.layers


def reader_slices(graph, group, unit):
    """Return what surgery would take out for a unit: its slices of the kernels that other channels are made from."""
    for binding in graph.bindings:
        owner, units = graph.unit_of[binding.labels].T
        units = np.where(owner == graph.groups.index(group), units, -1)
        made = any(b.creates and b.variable is binding.variable for b in all_bindings(graph))
        if binding.role == "kernel" and not binding.creates and made:
            yield binding.variable, binding.axis, np.flatnonzero(units == unit)


def all_bindings(graph):
    return list(graph.bindings)


def scale_unit(graph, group, unit, factor):
    """Multiply the unit where it is read."""
    for variable, axis, positions in reader_slices(graph, group, unit):
        value = keras.ops.convert_to_numpy(variable).copy()
        value[(slice(None),) * axis + (positions,)] *= factor
        variable.assign(value)


def cross_entropies(model, images, labels, *, softmax=False):
    """Return each image's loss in numpy, `[count]`."""
    outputs = model.predict_on_batch(images)
    logs = np.log(outputs if softmax else np.exp(outputs))
    logs -= 0 if softmax else np.log(np.exp(outputs).sum(axis=1, keepdims=True))
    return -logs[np.arange(len(labels)), labels]


def slopes(model, images, labels, *, softmax=False, step=1e-5):
    """Return by central differences each image's d loss / d gate, `[units, count]` per group."""
    graph = te.trace(model)
    weights = model.get_weights()
    found = {}
    for group in graph.prunable:
        found[group.name] = np.zeros((group.size, len(labels)))
        for unit in range(group.size):
            for sign in (1, -1):
                scale_unit(graph, group, unit, 1 + sign * step)
                losses = cross_entropies(model, images, labels, softmax=softmax)
                found[group.name][unit] += sign * losses / (2 * step)
                model.set_weights(weights)
    return found


def close(scores, slope, wanted):
    """Compare scores with what `wanted` makes of the slopes of all images."""
    assert scores.keys() == slope.keys()
    for name in slope:
        np.testing.assert_allclose(
            scores[name], wanted(slope[name]), rtol=1e-4, atol=1e-9, err_msg=name
        )


def test_taylor_and_hessian_equal_finite_differences(float64, make_net, data):
    def batches_of_five(each):  # The last two images are left out.
        return each[:, :10].reshape(-1, 2, 5).mean(axis=2)

    model, (images, labels) = make_net(None), data
    graph, slope = te.trace(model), slopes(model, images, labels)
    squared = Taylor(images, labels, batch_size=5).score(graph)
    close(squared, slope, lambda each: (batches_of_five(each) ** 2).mean(axis=1))
    absolute = Taylor(images, labels, squared=False).score(graph)
    close(absolute, slope, lambda each: np.abs(each.mean(axis=1)))
    hessian = Hessian(images, labels).score(graph)
    close(hessian, slope, lambda each: (each**2).mean(axis=1) / 2)


def test_taylor_suits_a_softmax_ending(float64, make_net, data):
    model, (images, labels) = make_net("softmax"), data
    slope = slopes(model, images, labels, softmax=True)
    scores = Taylor(images, labels).score(te.trace(model))
    close(scores, slope, lambda each: each.mean(axis=1) ** 2)


def test_a_gate_of_zero_is_what_surgery_does(float64, make_net, data):
    """Make sure that the oracle above gates the right weights."""
    model, (images, _) = make_net(None), data
    graph = te.trace(model)
    weights = model.get_weights()
    for group in graph.prunable:
        kept = tuple(range(1, group.size))
        pruned = te.prune(model, te.KeepPlan(graph.fingerprint, {group.name: kept}))
        wanted = keras.ops.convert_to_numpy(pruned(images))
        scale_unit(graph, group, 0, 0.0)
        np.testing.assert_allclose(model(images), wanted, atol=1e-9, err_msg=group.name)
        model.set_weights(weights)


def test_taylor_by_hand():
    """Worked by hand: y = 2 * h0 + 3 * h1 with h = (x, -x), x = 1 or 2, loss y^2: dL/dg_i = 2 * y * v_i * h_i."""
    model = keras.Sequential(
        [
            keras.Input((1,)),
            layers.Dense(2, use_bias=False, name="hidden"),
            layers.Dense(1, use_bias=False),
        ]
    )
    model.set_weights([np.array([[1.0, -1.0]]), np.array([[2.0], [3.0]])])
    images, labels = np.array([[1.0], [2.0]]), np.zeros((2, 1))
    graph = te.trace(model)
    mse = keras.losses.MeanSquaredError()
    # x = 1: y = -1, slopes -4 and 6; x = 2: y = -2, slopes -16 and 24; their means are -10 and 15.
    absolute = Taylor(images, labels, loss="mse", squared=False).score(graph)["hidden"]
    np.testing.assert_allclose(absolute, [10, 15], rtol=1e-6)
    squared = Taylor(images, labels, loss=mse, batch_size=1).score(graph)["hidden"]
    np.testing.assert_allclose(squared, [(16 + 256) / 2, (36 + 576) / 2], rtol=1e-6)
    curvature = Hessian(images, labels, loss=mse).score(graph)["hidden"]
    np.testing.assert_allclose(curvature, [68, 153], rtol=1e-6)


def test_one_hot_labels_are_understood(net, data):
    images, labels = data
    graph = te.trace(net)
    by_class = Taylor(images, labels).score(graph)
    one_hot = Taylor(images, np.eye(3)[labels]).score(graph)
    for name in by_class:
        np.testing.assert_allclose(one_hot[name], by_class[name], rtol=1e-3, atol=1e-9)


def test_frozen_layers_are_scored_like_others(net, data):
    before = Taylor(*data).score(te.trace(net))
    net.trainable = False
    after = Taylor(*data).score(te.trace(net))
    for name in before:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-3, atol=1e-9)


def test_regularizers_are_no_part_of_the_loss():
    def scores(penalty):
        model = keras.Sequential(
            [
                keras.Input((2,)),
                layers.Dense(2, name="hidden", kernel_regularizer=keras.regularizers.L2(penalty)),
                layers.Dense(3, name="out", kernel_regularizer=keras.regularizers.L2(penalty)),
            ]
        )
        model.set_weights([np.eye(2), np.ones(2), np.arange(6.0).reshape(2, 3), np.ones(3)])
        return Taylor(np.ones((2, 2)), np.array([0, 1])).score(te.trace(model))["hidden"]

    np.testing.assert_array_equal(scores(0.0), scores(10.0))


# Who reads which group: the layer, and the channels of its input that belong to the group.
READERS = {
    "stem": [("expand", slice(None)), ("before", slice(None)), ("reduce", slice(8, 16))],
    "expand": [("squeeze", slice(None)), ("project", slice(None))],
    "squeeze": [("excite", slice(None))],
    "before": [("grouped", slice(None)), ("reduce", slice(0, 8))],
    "reduce": [("logits", slice(None))],
}


@pytest.mark.parametrize("statistic", ["mean", "nonzero"])
def test_activation_equals_numpy(net, data, statistic):
    images, _ = data
    graph = te.trace(net)
    scores = Activation(images, statistic=statistic, batch_size=5).score(graph)
    assert scores.keys() == READERS.keys()
    for group, readers in READERS.items():
        channels = graph.group(group).size * graph.group(group).channels
        means = []
        for reader, part in readers:
            read = keras.Model(net.input, net.get_layer(reader).input)(images, training=False)
            value = keras.ops.convert_to_numpy(read).astype(np.float64)[..., part]
            amount = np.abs(value) if statistic == "mean" else value != 0
            means.append(amount.reshape(-1, channels).mean(axis=0))
        wanted = np.mean(means, axis=0).reshape(graph.group(group).size, -1).mean(axis=1)
        np.testing.assert_allclose(scores[group], wanted, rtol=1e-5, err_msg=group)


def test_activation_by_hand():
    model = keras.Sequential(
        [keras.Input((1,)), layers.Dense(2, "relu", use_bias=False, name="hidden"), layers.Dense(1)]
    )
    model.get_layer("hidden").kernel.assign([[1.0, -2.0]])
    images = np.array([[1.0], [2.0], [-4.0]])
    graph = te.trace(model)
    np.testing.assert_allclose(Activation(images).score(graph)["hidden"], [1, 8 / 3])
    share = Activation(images, statistic="nonzero").score(graph)["hidden"]
    np.testing.assert_allclose(share, [2 / 3, 1 / 3])


def test_nested_and_shared_layers_and_several_inputs_are_measured():
    inner = keras.Sequential(
        [keras.Input((3,)), layers.Dense(3, "relu", name="shared")], name="inner"
    )
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    merged = layers.Add()([inner(layers.Dense(4, name="in")(left)[..., :3]), inner(right)])
    model = keras.Model({"left": left, "right": right}, layers.Dense(2, name="out")(merged))
    graph = te.trace(model)
    draw = np.random.default_rng(0)
    images = {side: draw.normal(size=(6, 3)) for side in ("left", "right")}
    labels = np.arange(6) % 2
    taylor = Taylor(images, labels).score(graph)
    kernel, bias = model.get_layer("inner").get_weights()
    first = np.concatenate([model.get_layer("in")(images["left"])[:, :3], images["right"]])
    read = np.maximum(first @ kernel + bias, 0).reshape(2, 6, 3).sum(axis=0)
    activation = Activation(images).score(graph)
    np.testing.assert_allclose(activation["inner/shared"], read.mean(axis=0), rtol=1e-5)
    assert taylor["inner/shared"].shape == (3,)


@pytest.mark.parametrize("kind", [Taylor, Hessian])
def test_counts_must_agree(kind, data):
    images, labels = data
    with pytest.raises(CriterionError, match="received 12 images, 11 labels"):
        kind(images, labels[1:])
    with pytest.raises(CriterionError, match="at least one image"):
        kind(images[:0], labels[:0])


def test_data_that_cannot_be_measured_are_refused(net, data):
    images, labels = data
    with pytest.raises(CriterionError, match="at least one image"):
        Activation(images[:0])
    with pytest.raises(CriterionError, match="'mean' or 'nonzero', not 'max'"):
        Activation(images, statistic="max")
    with pytest.raises(CriterionError, match="batch size must be 1 or more, received 0"):
        Activation(images, batch_size=0)
    with pytest.raises(CriterionError, match="not finite"):
        Taylor(np.full_like(images, np.nan), labels).score(te.trace(net))


def test_an_ending_without_classes_needs_a_loss():
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(3, name="hidden"), layers.Dense(1, "sigmoid")]
    )
    images, labels = np.ones((4, 2)), np.array([[0.0], [1.0], [1.0], [1.0]])
    with pytest.raises(CriterionError, match="pass loss="):
        Taylor(images, labels).score(te.trace(model))
    scores = Taylor(images, labels, loss="binary_crossentropy").score(te.trace(model))
    assert (scores["hidden"] > 0).all()
