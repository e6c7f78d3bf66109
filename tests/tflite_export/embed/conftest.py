"""Bundles and projects that several tests of firmware use."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.golden import CONFORMANCE
from tflite_export import Variant, write_bundle
from tflite_export._convert import convert
from tflite_export._embed import writing
from tflite_export.arena import ArenaEstimate

layers = keras.layers

IMAGE_SHAPE, CHANNELS, CLASSES = (8, 8, 3), 16, 4
SHARED, INTERFACES = (CONFORMANCE / f"{name}.elastic" for name in ("shared", "interfaces"))


def net(blocks: int) -> keras.Model:
    """Return a residual network, the same weights whatever number of blocks."""
    inputs = keras.Input(IMAGE_SHAPE)
    x = layers.Conv2D(CHANNELS, 3, padding="same", activation="relu")(inputs)
    for _ in range(blocks):
        y = layers.Conv2D(CHANNELS, 3, padding="same", activation="relu")(x)
        x = layers.Add()([x, layers.Conv2D(CHANNELS, 3, padding="same")(y)])
    model = keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))
    rng = np.random.default_rng(0)
    stem, *convolutions, classifier = [each for each in model.layers if each.weights]
    for layer in (classifier, stem, *convolutions):
        for weight in layer.weights:
            weight.assign(rng.normal(0, 0.1, weight.shape))
    return model


@pytest.fixture(scope="session")
def models() -> dict[str, bytes]:
    """A network, and what is left of it without its last block."""
    samples = np.random.default_rng(0).integers(0, 256, (8, *IMAGE_SHAPE), np.uint8)
    return {
        name: convert(net(blocks), scheme="int8", samples=samples)
        for name, blocks in (("deep", 2), ("shallow", 1))
    }


@pytest.fixture(scope="session")
def ladder(models: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of both; the deeper one has the better score."""
    path = tmp_path_factory.mktemp("embed") / "depth.elastic"
    write_depths(path, models)
    return path


def write_depths(path: Path, models: dict[str, bytes]) -> None:
    """Write a bundle of a deeper and a shallower network."""
    fields = {"width": 1.0, "params": 1, "macs": 1, "scheme": "int8"}
    scores = {"deep": 0.75, "shallow": 0.5}
    write_bundle(
        path,
        [
            Variant(name=name, tflite=model, score=scores[name], **fields)
            for name, model in models.items()
        ],
        name="depth",
    )


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """State an arena at once: measuring takes seconds. It is one in which the stub has room."""

    def estimate(tflite: bytes, *, kernels: str, margin: float) -> ArenaEstimate:
        return ArenaEstimate(
            kernels=kernels,
            activation_bytes=3000,
            scratch_bytes=0,
            persistent_bytes=1000,
            preparation_bytes=500,
            measured_bytes=4000,
            margin=margin,
        )

    monkeypatch.setattr(writing, "estimate_arena", estimate)
