"""Quantization-aware training: of one net through its twin, and of an elastic net on shared kernels."""

import importlib
import shutil
import sys

import keras
import numpy as np
import pytest
from keras import layers

import tfelastic as te
from tflite_export.errors import ConversionError, SchemeError
from tflite_export.keras_models import float_outputs
from tflite_export.quantize import qat
from tflite_export.quantize.elastic_qat import QuantizationAware, fake_quantize
from tflite_export.quantize.kernel_sharing import share_kernels, shared_kernels
from tflite_export.quantize.qat import Tuning, tune
from tflite_export.runtimes import predict
from tflite_export.tflite import kernels, summarize

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tuned(nets, images):
    """A net with every kind of weight, tuned for one pass."""
    return tune(nets["plain"], images, tuning=Tuning(epochs=1, learning_rate=1e-4))


def test_the_tuned_weights_come_back_and_are_what_the_file_holds(nets, tuned, images):
    model, tflite = tuned
    before, after = nets["plain"].weights, model.weights
    moved = {
        new.path for old, new in zip(before, after, strict=True) if (old - new != 0).numpy().any()
    }
    assert {path for path in moved if "kernel" in path} == {
        weight.path for weight in after if "kernel" in weight.path
    }
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(old, new, atol=0.01)
    expected = float_outputs(model, [images])[0]
    difference = np.abs(predict(tflite, images) - expected).mean() / expected.std()
    assert difference < 0.04


def test_a_tuned_file_takes_raw_pixels_and_holds_integers_alone(tuned):
    summary = summarize(tuned[1])
    (source,) = summary.inputs
    assert (source.dtype, source.scale, source.zero_point) == ("int8", 1.0, -128)
    assert "float32" not in summary.dtypes


def test_the_scheme_tunes_and_guards(tuned, nets, images, monkeypatch):
    asked = {}
    # The package's attribute `convert` is the function, so the module comes from the import system.
    module = importlib.import_module("tflite_export._convert")
    monkeypatch.setattr(module, "tune", lambda *given, **options: (asked.update(options), tuned[1]))
    tuning = Tuning(epochs=3)
    tflite = module.convert(
        nets["plain"], scheme="int8-qat", samples=images, target="tflm", tuning=tuning
    )
    assert tflite == tuned[1]
    assert asked == {"tuning": tuning, "seed": 0}


def test_a_tuned_variant_is_stored_whole_and_says_so(tuned, nets, converted):
    net = te.ElasticModel(nets["plain"], te.ladder(nets["plain"], widths=(1,)))
    same, report = share_kernels(tuned[1], converted("plain"), shared_kernels(net, net.names[0]))
    assert same == tuned[1]
    assert "logits/kernel" in report.alone


def _net(make):
    image = keras.Input((8, 8, 3))
    return keras.Model(image, make(image), name="odd")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda x: layers.PReLU(name="slope")(x), r"'slope' \(PReLU\).*known for"),
        (lambda x: layers.BatchNormalization(name="early")(x), "'early'.*cannot be folded"),
        (lambda x: layers.Conv2D(4, 3, activation="gelu", name="soft")(x), "'soft'.*not 'gelu'"),
    ],
)
def test_a_layer_that_the_twin_cannot_express_is_named(make, told, images):
    with pytest.raises(ConversionError, match=told):
        tune(_net(make), images)


@pytest.mark.parametrize("name", ["resnet8", "mobilenet_v2_cifar", "vgg16_cifar", "alexnet_cifar"])
def test_the_twin_expresses_the_zoo(name):
    told = qat.describe(te.zoo.build(name, input_shape=(32, 32, 3), classes=10))
    assert told["steps"][0]["layer"] == "Rescaling"
    assert told["output"] == len(told["steps"])


def test_a_failure_in_the_other_process_is_told(nets, images, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(ConversionError, match="'plain' failed"):
        tune(nets["plain"], images)


def test_tuning_takes_positive_numbers():
    with pytest.raises(SchemeError, match="epochs"):
        Tuning(epochs=0)


@pytest.fixture
def net(build) -> te.ElasticModel:
    model = build("residual")
    return te.ElasticModel(model, te.ladder(model, widths=(1, 0.5), round_to=1))


def test_fake_quantization_is_what_the_file_stores(converted, nets):
    kernel = nets["residual"].get_layer("first").kernel
    rounded = np.asarray(fake_quantize(kernel, (0, 1, 2)))
    peak = np.abs(kernel).max(axis=(0, 1, 2))
    stored = next(k for k in kernels(bytearray(converted("residual"))) if k.operator == "CONV_2D")
    steps = np.rint(rounded / peak * 127).transpose(3, 0, 1, 2)
    np.testing.assert_array_equal(steps, stored.weights.values)
    np.testing.assert_allclose(rounded, np.rint(rounded / peak * 127) * peak / 127, atol=1e-7)


def test_all_rungs_train_on_rounded_kernels(net, images):
    x, y = images[:32].astype("float32"), np.arange(32) % 5
    aware = QuantizationAware(net)
    aware.compile(
        "sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False
    )
    given = np.asarray(aware(x))
    rounded = te.ElasticModel(net.base, net.ladder)
    for layer in rounded.base.layers:
        if hasattr(layer, "kernel"):
            axes = tuple(range(len(layer.kernel.shape) - 1))
            layer.kernel.assign(fake_quantize(layer.kernel, axes))
    np.testing.assert_allclose(given, rounded(x), rtol=1e-5, atol=1e-5)
    assert np.abs(given - np.asarray(net(x))).max() > 1e-4
    before = {variable.path: variable.numpy() for variable in net.variables}
    aware.fit(x, y, batch_size=16, epochs=1, verbose=0)
    for variable in net.variables:
        value = variable.numpy()
        assert np.isfinite(value).all()
        if np.issubdtype(value.dtype, np.floating):
            assert (value != before[variable.path]).any(), variable.path
