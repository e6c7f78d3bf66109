"""Any interface: several inputs and outputs, any rank, float features, other types at the border, other policies."""

import keras
import numpy as np
import pytest
from keras import layers
from tfelastic_runtime import Bundle

import tfelastic as te
import tflite_export as tx
from tflite_export.tflite import summarize

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(0, 2, (64, 24, 3)).astype("float32")
FACTS = RNG.normal(0, 1, (64, 5)).astype("float32")
IMAGES = RNG.integers(0, 256, (32, 16, 16, 3)).astype("uint8")
LOOSE = tx.Tolerance(mean_difference=0.1, max_difference=2.0, top1_agreement=0.7, score_loss=1)


@pytest.fixture(scope="module")
def branches() -> keras.Model:
    """A net of two inputs and two outputs, whose names are in no alphabetical order."""
    keras.utils.set_random_seed(0)
    window, facts = keras.Input((24, 3), name="window"), keras.Input((5,), name="facts")
    x = layers.Conv1D(8, 3, activation="relu")(window)
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.Dense(6)(facts)])
    outputs = [layers.Dense(3, name="gesture")(x), layers.Dense(1, name="effort")(x)]
    model = keras.Model([window, facts], outputs, name="branches")
    model.compile(
        loss={
            "gesture": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "effort": keras.losses.BinaryCrossentropy(from_logits=True),
        }
    )
    return model


def _labels(model: keras.Model) -> dict[str, np.ndarray]:
    gesture, effort = model([WINDOWS, FACTS])
    return {
        "effort": (np.asarray(effort)[:, 0] > 0).astype(int),
        "gesture": np.asarray(gesture).argmax(-1),
    }


@pytest.mark.parametrize("scheme", ["float32", "int8", "int16x8"])
@pytest.mark.parametrize("named", [False, True])
def test_several_inputs_and_outputs_stand_in_the_models_order(branches, scheme, named):
    samples = {"facts": FACTS, "window": WINDOWS} if named else [WINDOWS, FACTS]
    tflite = tx.convert(branches, scheme=scheme, samples=samples, strip=True)
    summary = summarize(tflite)
    assert [each.shape for each in summary.inputs] == [(1, 24, 3), (1, 5)]
    assert [each.shape for each in summary.outputs] == [(1, 3), (1, 1)]
    found = tx.verify(branches, tflite, samples, _labels(branches), scheme=scheme, target="tflm")
    assert [each.name for each in found.outputs] == ["gesture", "effort"]
    assert found.tflm.count == 64 * 4
    assert found.mean_difference < 0.05
    assert found.score_keras == 1


def test_an_elastic_net_of_several_inputs_becomes_a_bundle(branches, tmp_path):
    net = te.ElasticModel(branches, te.ladder(branches, widths=(1, 0.5), round_to=1))

    class Test:
        inputs, targets = {"window": WINDOWS, "facts": FACTS}, _labels(branches)

    report = tx.export(
        net,
        tmp_path / "net.elastic",
        samples=Test.inputs,
        test=Test,
        tolerance=LOOSE,
        metric=te.metric_of(branches, labels=Test.targets),
    )
    manifest = Bundle.open(report.path).manifest
    assert [spec.name for spec in manifest.inputs] == ["window", "facts"]
    assert [spec.name for spec in manifest.outputs] == ["gesture", "effort"]
    assert {spec.kind for spec in manifest.inputs} == {"values"}


@pytest.mark.parametrize(
    ("scheme", "types"),
    [
        ("int8", ("uint8", "uint8")),
        ("int8", ("float32", "float32")),
        ("int8", ("uint8", "float32")),
        ("int16x8", ("int16", "int16")),
    ],
)
def test_inputs_and_outputs_have_the_types_asked_for(nets, images, scheme, types):
    asked = {"scheme": scheme, "input_type": types[0], "output_type": types[1]}
    tflite = tx.convert(nets["residual"], samples=images, **asked)
    summary = summarize(tflite)
    assert (summary.inputs[0].dtype, summary.outputs[0].dtype) == types
    if types[0] == "uint8":
        assert (summary.inputs[0].scale, summary.inputs[0].zero_point) == (1.0, 0)
    expected = tx.predict(tx.convert(nets["residual"], samples=images, scheme=scheme), images[:20])
    np.testing.assert_allclose(
        tx.predict(tflite, images[:20]), expected, atol=0.05 * expected.std()
    )


def test_a_type_that_the_scheme_lacks_is_refused_before_anything_is_done(nets):
    with pytest.raises(tx.SchemeError, match="'float32' has inputs and outputs of type float32"):
        tx.convert(nets["plain"], scheme="float32", input_type="uint8")


def _image_net(policy: str = "float32", dtype: str | None = None) -> keras.Model:
    keras.utils.set_random_seed(0)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        image = keras.Input((16, 16, 3), dtype=dtype)
        x = layers.Conv2D(8, 3, activation="relu")(layers.Rescaling(1 / 255)(image))
        x = layers.Dense(4)(layers.GlobalAveragePooling2D()(x))
        return keras.Model(image, layers.Activation("linear", dtype="float32")(x), name="net")
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("scheme", ["float32", "int8"])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_mixed_precision_net_exports_its_float32_weights(policy, scheme):
    mixed, plain = _image_net(policy), _image_net()
    plain.set_weights(mixed.get_weights())
    tflite = tx.convert(mixed, scheme=scheme, samples=IMAGES)
    np.testing.assert_array_equal(
        tx.predict(tflite, IMAGES),
        tx.predict(tx.convert(plain, scheme=scheme, samples=IMAGES), IMAGES),
    )
    assert tx.verify(
        mixed, tflite, IMAGES, np.zeros(32, int), scheme=scheme, tolerance=LOOSE
    ).passed
    assert mixed.layers[2].compute_dtype == policy.removeprefix("mixed_")


@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_a_uint8_input_takes_the_same_pixels_as_a_float_one(scheme):
    integers, floats = _image_net(dtype="uint8"), _image_net()
    tflite = tx.convert(integers, scheme=scheme, samples=IMAGES)
    np.testing.assert_array_equal(
        tx.predict(tflite, IMAGES),
        tx.predict(tx.convert(floats, scheme=scheme, samples=IMAGES), IMAGES),
    )
    assert tx.verify(integers, tflite, IMAGES, np.zeros(32, int), tolerance=LOOSE).passed


def test_classes_of_pixels_are_compared_pixel_by_pixel():
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Conv2D(3, 1)(layers.Rescaling(1 / 255)(image)))
    masks = np.asarray(model(IMAGES.astype("float32"))).argmax(-1)
    accuracy = te.metrics.ClassAccuracy()
    found = tx.verify(model, tx.convert(model, samples=IMAGES), IMAGES, masks, metric=accuracy)
    assert found.passed, str(found)
    assert found.score_keras == 1
    assert found.score_tflite == pytest.approx(found.top1_agreement)


def test_the_kind_of_an_output_is_what_the_net_computes(tmp_path):
    image = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3)(layers.Rescaling(1 / 255)(image)))
    model = keras.Model(image, layers.Activation("softmax")(layers.Dense(4)(x)))
    net = te.ElasticModel(
        model, te.Ladder((te.Rung("w100", 1.0, te.KeepPlan(te.trace(model).fingerprint)),))
    )

    class Test:
        images, labels = IMAGES, np.asarray(model(IMAGES.astype("float32"))).argmax(-1)

    report = tx.export(net, tmp_path / "net.elastic", samples=IMAGES, test=Test, tolerance=LOOSE)
    (output,) = Bundle.open(report.path).manifest.outputs
    assert output.kind == "probabilities"
