"""Running one variant through LiteRT, and keeping few of them open."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tfelastic_runtime import (
    Bundle,
    BundleError,
    InputError,
    InputSpec,
    OutputSpec,
    Runner,
    RunnerPool,
)
from tfelastic_runtime import bundle as container

IMAGE = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)


def reference(model: bytes, image: np.ndarray) -> np.ndarray:
    """What LiteRT computes, in float64, by the quantization that the .tflite itself tells."""
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = taken["quantization"]
    stored = image.astype(np.float64)
    if scale:
        stored = np.round(stored / scale + zero_point)
        assert stored.min() >= -128
        assert stored.max() <= 127
    interpreter.set_tensor(taken["index"], stored[np.newaxis].astype(taken["dtype"]))
    interpreter.invoke()
    outputs = interpreter.get_tensor(given["index"])[0].astype(np.float64)
    scale, zero_point = given["quantization"]
    return (outputs - zero_point) * scale if scale else outputs


@pytest.mark.parametrize("name", ["w100", "w050", "w025"])
def test_runs_as_litert_does(bundle: Bundle, name: str) -> None:
    runner = Runner(bundle, name)
    for image in (IMAGE, np.zeros_like(IMAGE), np.full_like(IMAGE, 255), IMAGE[:, ::-1]):
        (output,) = runner.run(image).values()
        assert output.dtype == np.float32
        assert output.shape == (3,)
        np.testing.assert_allclose(output, reference(bundle.model(name), image), rtol=1e-6)


def test_outputs_are_a_copy(bundle: Bundle) -> None:
    runner = Runner(bundle, "w025")
    (first,) = runner.run(IMAGE).values()
    kept = first.copy()
    runner.run(255 - IMAGE)
    assert np.array_equal(first, kept)


def test_the_image_is_not_changed(bundle: Bundle) -> None:
    image = IMAGE.copy()
    Runner(bundle, "w100").run(image)
    assert np.array_equal(image, IMAGE)


@pytest.mark.parametrize(
    ("image", "received"),
    [
        (IMAGE.astype(np.float32), r"float32 of shape \[4, 6, 3\]"),
        (IMAGE[np.newaxis], r"uint8 of shape \[1, 4, 6, 3\]"),
        (IMAGE.transpose(1, 0, 2), r"uint8 of shape \[6, 4, 3\]"),
        (IMAGE.tolist(), "a list"),
        (None, "a NoneType"),
    ],
)
def test_wrong_image_is_told(bundle: Bundle, image: Any, received: str) -> None:
    expected = rf"input 'image': expected a uint8 array of shape \[4, 6, 3\].*received {received}"
    with pytest.raises(InputError, match=expected):
        Runner(bundle, "w100").run(image)


@pytest.mark.parametrize(
    "change",
    [
        {"outputs": (OutputSpec("output_0", (1, 4), "logits"),)},
        {"inputs": (InputSpec("image", (1, 6, 4, 3), "image"),)},
        {"inputs": (InputSpec("image", (1, 4, 6, 1), "image"),)},
    ],
)
def test_manifest_that_lies_about_shapes_is_refused(bundle: Bundle, change: dict[str, Any]) -> None:
    manifest = dataclasses.replace(bundle.manifest, **change)
    with pytest.raises(BundleError, match="as the manifest says"):
        Runner(Bundle(manifest, bundle._payload, source="a lie"), "w100")


def lying(bundle: Bundle, **change: Any) -> Bundle:
    """Change the record of the widest variant's output."""
    lie = dataclasses.replace(bundle.variants[0].outputs[0], **change)
    variants = (dataclasses.replace(bundle.variants[0], outputs=(lie,)), *bundle.variants[1:])
    manifest = dataclasses.replace(bundle.manifest, variants=variants)
    return Bundle(manifest, bundle._payload, source="a lie")


@pytest.mark.parametrize("change", [{"zero_point": 0}, {"scale": 0.5}, {"dtype": "uint8"}])
def test_manifest_that_lies_about_quantization_is_refused(
    bundle: Bundle, change: dict[str, Any]
) -> None:
    with pytest.raises(BundleError, match="variant 'w100': output 'output_0': expected"):
        Runner(lying(bundle, **change), "w100")


def test_payload_that_is_no_tflite_is_refused(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container.Bundle, "model", lambda self, name: b"TFL3" * 100)
    with pytest.raises(BundleError, match="variant 'w100': LiteRT cannot open it"):
        Runner(bundle, "w100")


class Fake:
    """A runner that counts."""

    alive: list[str]

    def __init__(self, bundle: Bundle, name: str, *, threads: int) -> None:
        self.name, self.runs = name, 0
        Fake.alive.append(name)

    def run(self, inputs: Any) -> dict[str, np.ndarray]:
        self.runs += 1
        return {"output_0": np.zeros(3, np.float32)}

    def __del__(self) -> None:
        Fake.alive.remove(self.name)


def test_pool_closes_the_least_recently_used(bundle: Bundle) -> None:
    Fake.alive = []
    pool = RunnerPool(bundle, resident=2, open_runner=Fake)
    assert pool.open_names == ()
    for name, left in [
        ("w100", ["w100"]),
        ("w050", ["w100", "w050"]),
        ("w100", ["w050", "w100"]),
        ("w025", ["w100", "w025"]),
        ("w050", ["w025", "w050"]),
    ]:
        pool.get(name, IMAGE)
        assert list(pool.open_names) == left
        assert sorted(Fake.alive) == sorted(left)
    pool.close()
    assert Fake.alive == []


def test_pool_warms_what_it_opens_once(bundle: Bundle) -> None:
    Fake.alive = []
    pool = RunnerPool(bundle, open_runner=Fake)
    runner = pool.get("w100", IMAGE)
    assert isinstance(runner, Fake)
    assert runner.runs == 1
    assert pool.get("w100", IMAGE) is runner
    assert runner.runs == 1


@pytest.mark.parametrize("options", [{"resident": 0}, {"threads": 0}, {"threads": 1.5}])
def test_pool_refuses_impossible_options(bundle: Bundle, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be a positive integer"):
        RunnerPool(bundle, **options)
