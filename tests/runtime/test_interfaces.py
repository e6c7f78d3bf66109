"""Networks of several inputs and outputs: the golden bundle `interfaces.elastic`, run by LiteRT."""

import dataclasses
import tracemalloc
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tfelastic_runtime import (
    Bundle,
    BundleError,
    InputError,
    InputSpec,
    Latency,
    OutputSpec,
    Runner,
    ScoreSpec,
    Selector,
    TensorSpec,
)
from tfelastic_runtime.runner import blank_inputs

NAMES = ("float32", "int16", "int8", "uint8")
TABLE = {name: Latency(10, 11, 20) for name in NAMES}


def random_inputs(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    new, old = rng.uniform(-3, 5, (2, 5)).astype(np.float32)
    return {
        "image": rng.integers(0, 256, (4, 6, 3), np.uint8),
        "features": new,
        "previous": old,
    }


def reference(model: bytes, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What LiteRT computes, by the names and the quantization that the .tflite itself tells."""
    runner = Interpreter(model_content=model).get_signature_runner("serve")
    taken, given = runner.get_input_details(), runner.get_output_details()
    tensors = {}
    for name, value in inputs.items():
        scale, zero_point = taken[name]["quantization"]
        stored = value.astype(np.float64)[np.newaxis]
        if scale:
            limits = np.iinfo(taken[name]["dtype"])
            stored = np.clip(np.round(stored / scale) + zero_point, limits.min, limits.max)
        tensors[name] = stored.astype(taken[name]["dtype"])
    outputs = {}
    for name, value in runner(**tensors).items():
        scale, zero_point = given[name]["quantization"]
        real = value[0].astype(np.float64)
        outputs[name] = (real - zero_point) * scale if scale else real
    return outputs


@pytest.mark.parametrize("name", NAMES)
def test_every_input_and_output_is_the_one_of_its_name(interfaces: Bundle, name: str) -> None:
    """The files order their tensors in another way than the manifest."""
    runner = Runner(interfaces, name)
    for seed in range(5):
        inputs = random_inputs(seed)
        outputs = runner.run(inputs)
        assert list(outputs) == ["animal", "box", "mask", "index"]
        for key, expected in reference(interfaces.model(name), inputs).items():
            assert outputs[key].dtype == np.float32
            assert outputs[key].shape == expected.shape
            np.testing.assert_allclose(outputs[key], expected, rtol=1e-6, err_msg=key)
        assert outputs["index"].shape == ()


def test_the_order_of_the_mapping_does_not_matter(interfaces: Bundle) -> None:
    runner, inputs = Runner(interfaces, "int8"), random_inputs(0)
    swapped = runner.run(dict(reversed(inputs.items())))
    for key, value in runner.run(inputs).items():
        assert np.array_equal(value, swapped[key])


def test_a_selector_runs_by_name_and_prefers_lower_scores(interfaces: Bundle) -> None:
    with Selector.open(interfaces, budget_us=2**31 - 1, profile=TABLE) as selector:
        result = selector.run(random_inputs(0))
    assert result.variant == "float32", "its mean absolute error is the least"
    assert result.label in ("kitten", "Möwe", "犬")
    with pytest.raises(ValueError, match=r"outputs 'animal', 'box', 'mask', 'index'.*by its name"):
        _ = result.output


def test_a_selector_measures_itself_on_blank_inputs(interfaces: Bundle) -> None:
    with Selector.open(interfaces, budget_ms=2000.0) as selector:
        assert set(selector.latencies) == set(NAMES)
    blank = blank_inputs(interfaces.manifest.inputs)
    assert {name: (value.dtype, value.shape) for name, value in blank.items()} == {
        "image": (np.uint8, (4, 6, 3)),
        "features": (np.float32, (5,)),
        "previous": (np.float32, (5,)),
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"previous": None},
            r"inputs 'image', 'features', 'previous', received 'image', 'features'",
        ),
        ({"wind": np.zeros(5)}, r"received 'image', 'features', 'previous', 'wind'"),
        ({"features": np.zeros(4)}, r"input 'features': expected a float32 array of shape \[5\]"),
        ({"features": np.full(5, np.nan)}, r"input 'features': .*received nan at \[0\]"),
        ({"image": np.zeros((4, 6, 3))}, r"input 'image': expected a uint8 array"),
    ],
)
def test_what_is_wrong_is_named(interfaces: Bundle, change: dict[str, Any], said: str) -> None:
    inputs = random_inputs(0) | change
    runner = Runner(interfaces, "int8")
    with pytest.raises(InputError, match=said):
        runner.run({key: value for key, value in inputs.items() if value is not None})
    assert len(runner.run(random_inputs(0))) == 4


def test_one_array_is_not_enough_for_several_inputs(interfaces: Bundle) -> None:
    with pytest.raises(InputError, match=r"has 3 inputs: expected arrays by name.*a ndarray"):
        Runner(interfaces, "int8").run(np.zeros(5))


def test_one_input_goes_by_its_name_too(bundle: Bundle) -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    runner = Runner(bundle, "w100")
    alone, named = runner.run(image), runner.run({"image": image})
    assert np.array_equal(alone["output_0"], named["output_0"])


@pytest.mark.parametrize("name", NAMES)
def test_a_run_allocates_its_outputs_alone(interfaces: Bundle, name: str) -> None:
    runner, inputs = Runner(interfaces, name), random_inputs(0)
    runner.run(inputs)
    tracemalloc.start()
    try:
        outputs = runner.run(inputs)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < sum(value.nbytes for value in outputs.values()) + 8_000


@pytest.mark.parametrize(
    ("side", "change"),
    [
        ("inputs", {"position": 1}),
        ("outputs", {"position": 0}),
        ("inputs", {"dtype": "uint8", "zero_point": 3}),
    ],
)
def test_a_manifest_that_mistakes_tensors_is_refused(
    interfaces: Bundle, side: str, change: dict[str, Any]
) -> None:
    """The tensor that is named first takes another's place, and that one takes its."""
    variant = interfaces.variant("int8")
    tensors = list(getattr(variant, side))
    old = tensors[0]
    tensors[0] = dataclasses.replace(old, **change)
    for index, other in enumerate(tensors[1:], start=1):
        if other.position == tensors[0].position:
            tensors[index] = dataclasses.replace(other, position=old.position)
    lie = dataclasses.replace(variant, **{side: tuple(tensors)})
    manifest = dataclasses.replace(interfaces.manifest, variants=(lie,))
    with pytest.raises(BundleError, match=r"'int8': (input 'image'|output 'animal'): exp"):
        Runner(Bundle(manifest, interfaces._payload, source="a lie"), "int8")


@pytest.mark.parametrize(
    ("specs", "classifier"),
    [
        ([("logits", (1, 2), ("a", "b"))], 0),
        ([("probabilities", (1, 2), ("a", "b"))], 0),
        ([("values", (1, 2), ("a", "b"))], None),
        ([("logits", (1, 2), None)], None),
        ([("logits", (1, 1), ("a",))], None),
        ([("logits", (1, 4, 2), ("a", "b"))], None),
        ([("logits", (1, 2), None), ("logits", (1, 2), ("a", "b"))], 1),
        ([("logits", (1, 2), ("a", "b")), ("logits", (1, 2), ("a", "b"))], None),
    ],
)
def test_a_label_is_of_the_one_labelled_classifier(
    bundle: Bundle, specs: list[Any], classifier: int | None
) -> None:
    outputs = tuple(
        OutputSpec(f"o{index}", shape, kind, labels)
        for index, (kind, shape, labels) in enumerate(specs)
    )
    variants = tuple(
        dataclasses.replace(
            variant,
            outputs=tuple(TensorSpec(i, "float32", 1.0, 0) for i in range(len(outputs))),
        )
        for variant in bundle.variants
    )
    manifest = dataclasses.replace(bundle.manifest, outputs=outputs, variants=variants)
    assert manifest.classifier == (None if classifier is None else outputs[classifier])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: InputSpec("", (1, 2)), "input name: expected a text of 1 to 64"),
        (lambda: InputSpec("x" * 65, (1, 2)), "input name: expected a text of 1 to 64"),
        (lambda: InputSpec("x", ()), r"input 'x': shape: expected \[1, ...\] with 1 to 5 axes"),
        (lambda: InputSpec("x", (1,) * 6), "1 to 5 axes"),
        (lambda: InputSpec("x", (2, 3)), r"shape\[0\]: expected an integer in 1 .. 1"),
        (lambda: InputSpec("x", (1, 0)), r"shape\[1\]: expected an integer in 1 .. 65535"),
        (lambda: InputSpec("x", (1, 65535, 65535)), "at most 2147483647 elements"),
        (lambda: InputSpec("x", (1, 2), "image"), r"\[1, height, width, channels\]"),
        (lambda: InputSpec("x", (1, 2), "sound"), "kind: expected one of image, values"),
        (lambda: OutputSpec("y", (1, 2), "boxes"), "kind: expected one of logits, prob"),
        (lambda: OutputSpec("y", (1, 2), "logits", ("a",)), "one per class, 2, received 1"),
        (lambda: TensorSpec(0, "int64", 1.0, 0), "dtype: expected one of int8"),
        (lambda: TensorSpec(0, "int16", 1.0, 1), "zero_point of int16: expected .* in 0 .. 0"),
        (lambda: TensorSpec(0, "int32", 2.0, 0), "scale: expected 1 for int32"),
        (lambda: ScoreSpec(""), "score.metric"),
        (lambda: ScoreSpec("m", higher_is_better=1), "expected true or false, received 1"),
    ],
)
def test_what_no_manifest_can_say_is_told(make: Any, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        make()
