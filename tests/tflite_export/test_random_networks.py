"""Random networks of several inputs and outputs, from Keras into a bundle and through the selector."""

from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers
from tfelastic_runtime import Bundle, InputSpec, Latency, OutputSpec, Selector

import tflite_export as tx
from tflite_export.bundle.interface import Interface
from tflite_export.bundle.manifest import Variant
from tflite_export.bundle.writer import write_bundle

pytestmark = pytest.mark.slow


def random_network(rng: np.random.Generator) -> keras.Model:
    """Return a net of two or three inputs of ranks 2 to 4, and as many outputs of one to three numbers."""
    inputs = [
        keras.Input(shape, name=f"in_{i}")
        for i, shape in enumerate(
            rng.permutation(np.array([(5,), (8, 3), (6, 6, 2)], object))[: rng.integers(2, 4)]
        )
    ]
    features = []
    for x in inputs:
        if len(x.shape) == 4:
            x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x))
        elif len(x.shape) == 3:
            x = layers.Flatten()(layers.Conv1D(4, 3, activation="relu")(x))
        features.append(layers.Dense(6)(x))
    x = layers.Concatenate()(features)
    outputs = [
        layers.Dense(int(rng.integers(1, 4)), name=f"out_{i}")(x) for i in range(len(inputs))
    ]
    return keras.Model(inputs, outputs)


def run_litert(tflite: bytes, values: list[np.ndarray]) -> list[np.ndarray]:
    """Return what LiteRT computes, by the quantization that the file states."""
    interpreter = Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    for each, value in zip(interpreter.get_input_details(), values, strict=True):
        scale, zero_point = each["quantization"]
        stored = value[np.newaxis]
        if scale:
            limits = np.iinfo(each["dtype"])
            rounded = np.rint(stored / np.float32(scale)) + zero_point
            stored = np.clip(rounded, limits.min, limits.max)
        interpreter.set_tensor(each["index"], stored.astype(each["dtype"]))
    interpreter.invoke()
    found = []
    for each in interpreter.get_output_details():
        value, (scale, zero_point) = interpreter.get_tensor(each["index"])[0], each["quantization"]
        found.append((value.astype(np.float32) - zero_point) * (scale or 1))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_selector_gives_what_litert_gives(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    model = random_network(rng)
    samples = [rng.normal(0, 2, (32, *x.shape[1:])).astype("float32") for x in model.inputs]
    # Every scheme twice.
    scheme = ("float32", "int8", "int16x8")[seed % 3]
    tflite = tx.convert(model, scheme=scheme, samples=samples)
    inputs = tuple(InputSpec(x.name, (1, *x.shape[1:])) for x in model.inputs)
    outputs = tuple(
        OutputSpec(name, (1, *y.shape[1:]))
        for name, y in zip(model.output_names, model.outputs, strict=True)
    )
    variant = Variant(
        name="net",
        width=1.0,
        params=model.count_params(),
        macs=1,
        score=1.0,
        scheme=scheme,
        tflite=tflite,
        input_names=tuple(spec.name for spec in inputs),
        output_names=tuple(spec.name for spec in outputs),
    )
    write_bundle(tmp_path / "a.elastic", [variant], name="a", interface=Interface(inputs, outputs))
    trained = [np.asarray(each) for each in model(samples)]
    bundle, table = Bundle.open(tmp_path / "a.elastic"), {"net": Latency(10, 10, 20)}
    with Selector.open(bundle, budget_us=1000, profile=table) as selector:
        for index in range(4):
            values = [each[index] for each in samples]
            named = dict(zip((spec.name for spec in inputs), values, strict=True))
            found = selector.run(dict(reversed(named.items()))).outputs
            expected = run_litert(tflite, values)
            for spec, each, keras_output in zip(outputs, expected, trained, strict=True):
                np.testing.assert_allclose(found[spec.name], each, rtol=1e-5, atol=1e-6)
                # An exchanged pair of outputs would agree with LiteRT, but not with Keras.
                near = 1e-4 if scheme == "float32" else 0.1 * keras_output.std() + 0.05
                np.testing.assert_allclose(found[spec.name], keras_output[index], atol=near)
