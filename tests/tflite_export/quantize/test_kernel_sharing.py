"""A narrow variant's kernels become slices of the widest's, and mean what they meant."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

import tfelastic as te
from tests.support.weights import randomize
from tflite_export._convert import convert
from tflite_export.keras_models import float_outputs
from tflite_export.quantize.kernel_sharing import Sharing, share_kernels, shared_kernels
from tflite_export.runtimes import predict
from tflite_export.tflite import kernels

IMAGE_SHAPE = (16, 16, 3)
RUNG = "w050d000"


def _every_kernel(x):
    """A net with every kind of kernel, a block to drop and, behind Flatten, a union of prefixes."""
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same", name="branch")(x))
    x = layers.ReLU()(layers.Add(name="block")([x, y]))
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", name="depthwise")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2DTranspose(8, 2, strides=2, name="transposed")(x)
    # A BatchNorm in front of a convolution is an operation of its own.
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(12, 3, strides=4, padding="same", name="late")(x)
    x = layers.Dense(16, activation="relu", name="hidden")(layers.Flatten()(x))
    return layers.Dense(5, name="logits")(x)


@pytest.fixture(scope="module")
def net() -> te.ElasticModel:
    image = keras.Input(IMAGE_SHAPE)
    model = keras.Model(image, _every_kernel(layers.Rescaling(1 / 127.5, offset=-1)(image)))
    net = te.ElasticModel(model, te.ladder(model, widths=(1, 0.5), depths=(1, 0), round_to=1))
    randomize(net)
    return net


@pytest.fixture(scope="module", params=["int8", "float32"])
def ladder(request, net, images) -> SimpleNamespace:
    wide, narrow = (
        convert(net.cut(name), scheme=request.param, samples=images) for name in net.names
    )
    shared = shared_kernels(net, RUNG)
    new, report = share_kernels(narrow, wide, shared)
    return SimpleNamespace(
        scheme=request.param, wide=wide, narrow=narrow, new=new, report=report, shared=shared
    )


def _constants(tflite: bytes) -> dict[str, SimpleNamespace]:
    """Return the constants as LiteRT reads them, by their names."""
    interpreter = Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    operators = interpreter._get_ops_details()
    computed = {interpreter.get_input_details()[0]["index"]}
    computed.update(index for operator in operators for index in operator["outputs"])
    found = {}
    for index in {int(i) for operator in operators for i in operator["inputs"]} - computed - {-1}:
        detail = interpreter._get_tensor_details(index, 0)
        steps, values = detail["quantization_parameters"], interpreter.get_tensor(index).copy()
        scales, shape = steps["scales"], [1] * values.ndim
        if scales.size > 1:
            shape[steps["quantized_dimension"]] = -1
        found[detail["name"]] = SimpleNamespace(
            values=values, steps=scales.reshape(shape) if scales.size else np.ones(())
        )
    return found


def test_every_kernel_of_every_kind_is_shared(ladder):
    kinds = {"stem", "depthwise", "transposed", "late", "hidden", "logits"}
    assert {name.split("/")[0] for name in ladder.report.shared} == kinds
    assert not ladder.report.alone
    assert ladder.report.shared_bytes == ladder.report.kernel_bytes > 0
    assert len(ladder.new) == len(ladder.narrow)
    assert ladder.new != ladder.narrow


def test_shared_kernels_are_slices_of_the_widests(ladder, net):
    """The slices are worked out by hand: leading channels, and behind Flatten those of each pixel."""
    wide, new = (
        {c.values.shape: c.values for c in _constants(file).values() if c.values.ndim in (2, 4)}
        for file in (ladder.wide, ladder.new)
    )
    pixels = np.arange(2 * 2 * 12).reshape(2, 2, 12)[..., :6].ravel()
    slices = [
        ((8, 3, 3, 3), np.s_[:4]),
        ((1, 3, 3, 8), np.s_[..., :4]),
        ((8, 2, 2, 8), np.s_[:4, :, :, :4]),
        ((12, 3, 3, 8), np.s_[:6, :, :, :4]),
        ((16, 48), np.ix_(range(8), pixels)),
        ((5, 16), np.s_[:, :8]),
    ]
    for shape, where in slices:
        part = wide[shape][where]
        if ladder.scheme == "int8":
            np.testing.assert_array_equal(new[part.shape], part)
            continue
        axes = tuple(range(3)) if shape[0] == 1 else tuple(range(1, part.ndim))
        largest = np.abs(part).max(axis=axes, keepdims=True) == np.abs(part)
        factors = np.sum(largest * new[part.shape], axis=axes, keepdims=True) / np.sum(
            largest * part, axis=axes, keepdims=True
        )
        np.testing.assert_allclose(new[part.shape], factors * part, rtol=2e-7)


def test_weights_and_biases_mean_what_they_meant(ladder):
    before, after = _constants(ladder.narrow), _constants(ladder.new)
    assert before.keys() == after.keys()
    for name, old in before.items():
        new = after[name]
        rounding = 1e-6 * np.abs(old.values).max()
        slack = (old.steps + new.steps) / 2 if ladder.scheme == "int8" else rounding
        difference = np.abs(old.values * np.float64(old.steps) - new.values * np.float64(new.steps))
        assert (difference <= 1.01 * slack).all(), name


def test_outputs_stay_as_close_to_keras(ladder, net, images):
    expected = float_outputs(net.cut(RUNG), [images])[0]
    bound = {"int8": 0.05, "float32": 1e-6}[ladder.scheme]
    difference = np.abs(predict(ladder.new, images) - expected).mean() / expected.std()
    assert difference <= bound


def test_the_widest_shares_with_itself_without_a_change(ladder, net):
    same, report = share_kernels(ladder.wide, ladder.wide, shared_kernels(net, net.names[0]))
    assert same == ladder.wide
    assert not report.alone


def test_a_kernel_that_is_no_slice_stays_and_is_reported(ladder):
    """One wrong weight, off by what one step of int8 is worth, is enough."""
    position = next(i for i, kernel in enumerate(ladder.shared) if "late" in kernel.name)
    kernel = ladder.shared[position]
    values = kernel.values.copy()
    values[0, 0, 0, 0] += np.abs(values).max() / 64
    wrong = [*ladder.shared]
    wrong[position] = type(kernel)(name=kernel.name, values=values, takes=kernel.takes)
    new, report = share_kernels(ladder.narrow, ladder.wide, wrong)
    assert list(report.alone) == [kernel.name]
    assert "does not hold it" in report.alone[kernel.name]
    shape = (6, 3, 3, 4)
    old, kept = (
        next(c.values for c in _constants(file).values() if c.values.shape == shape)
        for file in (ladder.narrow, new)
    )
    np.testing.assert_array_equal(kept, old)


def test_a_factor_of_the_other_sign_is_no_slice(ladder):
    turned = bytearray(ladder.wide)
    for kernel in kernels(turned):
        if kernel.weights.values.shape == (12, 3, 3, 8):
            kernel.weights.values[3] *= -1
    _, report = share_kernels(ladder.narrow, bytes(turned), ladder.shared)
    assert list(report.alone) == ["late/kernel"]
    assert "negative" in report.alone["late/kernel"]


def test_a_silent_channel_keeps_its_scale(net, images):
    """Where a rung's slice of a channel is all zeros there is nothing to rescale by."""
    silent = te.ElasticModel(net.base, net.ladder)
    randomize(silent)
    kernel = silent.base.get_layer("late").kernel
    values = kernel.numpy()
    values[:, :, :4, 1] = 0
    values[..., 2] = 0
    kernel.assign(values)
    wide, narrow = (convert(silent.cut(name), samples=images) for name in silent.names)
    new, report = share_kernels(narrow, wide, shared_kernels(silent, RUNG))
    assert "late/kernel" in report.shared
    assert np.isfinite(predict(new, images[:2])).all()
    scales = [
        next(c.steps for c in _constants(f).values() if c.values.shape == (6, 3, 3, 4))
        for f in (narrow, new)
    ]
    np.testing.assert_array_equal(scales[0].ravel()[1:3], scales[1].ravel()[1:3])


def test_float16_keeps_its_own_kernels(net):
    narrow = convert(net.cut(RUNG), scheme="float16")
    same, report = share_kernels(narrow, narrow, shared_kernels(net, RUNG))
    assert same == narrow
    assert not report.shared


def test_a_report_comes_back_from_json_and_tells_the_reasons():
    report = Sharing(shared=("a",), alone={"b": "it is another"}, shared_bytes=3, kernel_bytes=5)
    assert Sharing.from_json(json.loads(json.dumps(report.to_json()))) == report
    assert str(report) == "1 of 2 kernels shared, 3 of 5 bytes\nb: it is another"
