import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tflite_export._convert import convert
from tflite_export.errors import BackendError, CalibrationError, ConversionError, SchemeError
from tflite_export.guards import guard
from tflite_export.keras_models import Port, Signature
from tflite_export.options import ConversionOptions
from tflite_export.quantize.post_training import QuantizationSettings
from tflite_export.quantize.scheme import SCHEMES, get_scheme
from tflite_export.runtimes import TARGETS, get_target, predict
from tflite_export.tflite import kernels, summarize

IMAGE_SHAPE = (16, 16, 3)


# What tunes the net takes a process of its own; `quantize/test_qat.py` looks at that.
@pytest.mark.parametrize("scheme", [name for name in SCHEMES if not SCHEMES[name].tuned])
def test_every_scheme_gives_a_static_builtin_only_file_with_its_own_types(converted, scheme):
    summary = summarize(converted("residual", scheme))
    (source,), (result,) = summary.inputs, summary.outputs
    assert (source.shape, result.shape) == ((1, *IMAGE_SHAPE), (1, 5))
    assert source.dtype == result.dtype == get_scheme(scheme).io_dtype
    assert not any(name.startswith("CUSTOM") for name in summary.operators)
    expected = {"float16": "float16", "int16x8": "int16"}.get(scheme, get_scheme(scheme).io_dtype)
    assert expected in summary.dtypes
    assert ("float32" in summary.dtypes) == (not scheme.startswith("int8"))


def test_a_summary_counts_how_often_an_operator_is_used(nets, converted):
    for kind in ("plain", "residual"):
        used = summarize(converted(kind, "float32")).operators
        convolutions = [each for each in nets[kind].layers if type(each) is layers.Conv2D]
        assert used["CONV_2D"] == len(convolutions) > 1
        assert list(used) == sorted(used)


def test_weights_of_large_layers_become_int8_in_the_dynamic_scheme(images):
    # The converter leaves tensors of fewer than 1,024 values as they are.
    image = keras.Input(IMAGE_SHAPE)
    model = keras.Model(image, layers.Dense(5)(layers.Flatten()(image)))
    assert "int8" in summarize(convert(model, scheme="dynamic")).dtypes


@pytest.mark.parametrize("kind", ["plain", "residual", "flatten"])
def test_an_int8_input_is_raw_pixels_minus_128(converted, images, kind):
    assert (images.min(), images.max()) != (0, 255), "the samples alone must not span the range"
    (source,) = summarize(converted(kind)).inputs
    assert (source.scale, source.zero_point) == (1.0, -128)


def test_equal_seeds_give_equal_bytes(nets, images, converted):
    assert convert(nets["flatten"], samples=images) == converted("flatten")


def test_the_way_a_model_was_compiled_changes_nothing(build, converted, images):
    model = build("residual")
    model.compile(optimizer="sgd", loss="mse", jit_compile=True)
    # The files differ in the layers' names; what they compute is equal to the last bit.
    np.testing.assert_array_equal(
        predict(convert(model, scheme="float32"), images[:5]),
        predict(converted("residual", "float32"), images[:5]),
    )
    assert model.compiled
    assert model.jit_compile


def test_a_conversion_prints_nothing_and_leaves_no_file(
    build, images, tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    convert(build("flatten"), scheme="int8", samples=images)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_an_integer_scheme_without_samples_says_what_to_pass(nets):
    with pytest.raises(CalibrationError, match="pass samples="):
        convert(nets["plain"], scheme="int8")


def test_an_unknown_scheme_is_refused_before_anything_is_done(nets):
    with pytest.raises(SchemeError, match="int4"):
        convert(nets["plain"], scheme="int4")


def _open_size():
    image = keras.Input((None, None, 3))
    return keras.Model(image, layers.GlobalAveragePooling2D()(image))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_open_size, "every size fixed"),
        (lambda: keras.Sequential([layers.Dense(3)], name="lazy"), "'lazy' has no input"),
    ],
)
def test_a_model_that_no_device_can_feed_is_refused(make, told):
    with pytest.raises(ConversionError, match=told):
        convert(make(), scheme="float32")


def test_an_operation_without_a_builtin_operator_is_named():
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, keras.ops.erfinv(image / 256), name="erfinv")
    with pytest.raises(
        ConversionError, match=r"'erfinv'.*operator Erfinv \('erfinv\w*/erfinv"
    ) as caught:
        convert(model, scheme="float32")
    assert len(str(caught.value)) < 300
    assert "loc(" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_freezing_layers_does_not_change_the_file(build, converted, images, scheme):
    model = build("residual")
    for layer in model.layers[:-1]:
        layer.trainable = False
    np.testing.assert_array_equal(
        predict(convert(model, scheme=scheme, samples=images), images[:5]),
        predict(converted("residual", scheme), images[:5]),
    )


def _tensorflow_file(function, *, ops=(), holds=None) -> bytes:
    """Convert a bare function without any care, to give the guards something to refuse."""
    signature = [tf.TensorSpec((1, 4), tf.float32)]
    holder = tf.Module()
    holder.model = holds
    holder.serve = tf.function(function, input_signature=signature)
    concrete = holder.serve.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], holder)
    if ops:
        converter.target_spec.supported_ops = ops
    return converter.convert()


def _guard(
    tflite: bytes, *, scheme="float32", shape=(4,), kernel_values=4, image=False, target="phone"
) -> None:
    port = Port("input", shape, "float32")
    guard(
        tflite,
        QuantizationSettings.of(SCHEMES[scheme]),
        signature=Signature("net", (port,), (port,)),
        images=[image],
        kernel_values=kernel_values,
        target=TARGETS[target],
    )


def test_a_file_whose_weights_stayed_outside_is_refused():
    dense = layers.Dense(3)
    dense.build((1, 4))
    with pytest.raises(ConversionError, match="READ_VARIABLE"):
        _guard(_tensorflow_file(lambda x: dense(x), holds=dense))


def test_a_file_that_needs_tensorflow_operators_is_refused():
    select = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    with pytest.raises(ConversionError, match="CUSTOM:FlexMatrixInverse"):
        _guard(_tensorflow_file(lambda x: tf.linalg.inv(tf.reshape(x, (2, 2))), ops=select))


def test_a_file_with_a_loop_is_refused():
    def loop(x):
        return tf.while_loop(lambda v: tf.reduce_sum(v) < 100.0, lambda v: [v * 2.0], [x])[0]

    with pytest.raises(ConversionError, match="one subgraph"):
        _guard(_tensorflow_file(loop))


def test_a_file_that_returns_nan_is_refused():
    with pytest.raises(ConversionError, match="NaN"):
        _guard(_tensorflow_file(lambda x: tf.math.log(x - 1.0)), kernel_values=0)


def test_a_file_with_too_few_bytes_for_its_weights_is_refused(converted):
    with pytest.raises(ConversionError, match="weights are missing"):
        _guard(converted("plain", "int8"), scheme="int8", shape=IMAGE_SHAPE, kernel_values=100_000)


def test_a_file_with_too_many_bytes_for_its_weights_is_refused(converted):
    with pytest.raises(ConversionError, match="more than once"):
        _guard(
            bytes(converted("plain", "int8")),
            scheme="int8",
            shape=IMAGE_SHAPE,
            kernel_values=-100_000,
        )


def test_an_operator_that_the_target_lacks_is_named():
    tflite = _tensorflow_file(lambda x: tf.nn.gelu(x, approximate=True) + tf.raw_ops.Pow(x=x, y=x))
    summary = summarize(tflite)
    with pytest.raises(ConversionError, match=r"'tflm' cannot run .*POW"):
        _guard(tflite, target="tflm")
    assert set(summary.operators) <= TARGETS["phone"].operators


def test_targets_know_only_operators_of_the_schema():
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    for target in TARGETS.values():
        assert target.operators <= set(vars(BuiltinOperator))
    assert TARGETS["tflm"].operators < TARGETS["phone"].operators
    with pytest.raises(SchemeError, match="phone, tflm"):
        get_target("toaster")


def test_old_forks_of_tflm_get_one_scale_per_dense_kernel(nets, images, converted):
    def dense(tflite):
        return [k for k in kernels(bytearray(tflite)) if k.operator == "FULLY_CONNECTED"]

    one = convert(nets["flatten"], samples=images, per_channel_dense=False)
    assert [kernel.weights.scales.size for kernel in dense(one)] == [1, 1]
    assert [kernel.weights.scales.size for kernel in dense(converted("flatten"))] == [16, 5]


@pytest.mark.parametrize(
    ("target", "scheme", "asked", "expected"),
    [
        ("tflm", "int16x8", None, False),
        ("tflm", "int16x8", True, True),
        ("tflm", "int8", None, True),
        ("phone", "int16x8", None, True),
        ("phone", "int8", False, False),
    ],
)
def test_dense_kernels_get_the_scales_that_the_targets_kernels_take(
    target, scheme, asked, expected
):
    options = ConversionOptions(target=target, scheme=scheme, per_channel_dense=asked)
    assert options.dense_per_channel is expected


def test_16_bits_for_tflm_have_one_scale_per_dense_kernel(nets, images):
    tflite = convert(nets["flatten"], samples=images, scheme="int16x8", target="tflm")
    dense = [k for k in kernels(bytearray(tflite)) if k.operator == "FULLY_CONNECTED"]
    assert [kernel.weights.scales.size for kernel in dense] == [1, 1]


@pytest.mark.parametrize(
    ("scheme", "image_shape", "told"),
    [("float32", IMAGE_SHAPE, "should be float32"), ("int8", (8, 8, 3), "static inputs")],
)
def test_a_file_of_another_type_or_size_is_refused(converted, scheme, image_shape, told):
    with pytest.raises(ConversionError, match=told):
        _guard(converted("plain"), scheme=scheme, shape=image_shape, kernel_values=1)


def test_without_the_two_set_pixels_the_input_range_guard_fails(nets, images, monkeypatch):
    # The package's attribute `convert` is the function, so the module comes from the import system.
    module = importlib.import_module("tflite_export._convert")
    taken = lambda arrays, **options: [array[:20].astype(np.float32) for array in arrays]  # noqa: E731
    monkeypatch.setattr(module, "representative", taken)
    with pytest.raises(ConversionError, match=r"scale and zero point \(1.0, -128\)"):
        convert(nets["plain"], scheme="int8", samples=images)


def test_another_backend_is_told_how_to_export(tmp_path):
    script = (
        "import keras, tflite_export as tx\n"
        "model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])\n"
        "try:\n"
        "    tx.convert(model, scheme='float32')\n"
        "except tx.BackendError as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    told = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "'jax'" in told
    assert "KERAS_BACKEND=tensorflow" in told
    assert issubclass(BackendError, RuntimeError)


def test_sixteen_bits_hold_what_no_calibration_sample_reaches():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    values = np.random.default_rng(0).uniform(-1, 1, (50, 4)).astype("float32")
    beyond = 1.8 * values[:5]
    found = {
        scheme: predict(convert(model, scheme=scheme, samples=values, **options), beyond)
        for scheme, options in (("int16x8", {}), ("int8", {"input_type": "float32"}))
    }
    expected = np.asarray(model(beyond))
    assert np.abs(found["int16x8"] - expected).max() < 0.02
    assert np.abs(found["int8"] - expected).max() > 0.2
