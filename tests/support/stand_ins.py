"""What the examples of the documentation take for granted: a small model, images, a bundle."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

import tfelastic as te
import tflite_export as tx


def stand_ins(folder: Path) -> dict[str, object]:
    """Return the names that examples use without defining them, and write the files that they read."""
    keras.utils.set_random_seed(0)
    labels = np.arange(64) % 2
    noise = np.random.default_rng(0).integers(0, 100, (64, 8, 8, 1))
    images = (noise + 150 * labels[:, None, None, None]).astype(np.uint8)
    split = te.data.Split(images, labels)
    data = te.data.Dataset(
        name="dark or bright", train=split, test=split, classes=("dark", "bright")
    )
    model = small_model()
    model.fit(images, labels, epochs=20, verbose=0)
    net = te.ElasticModel(model, te.ladder(model, widths=(1, 0.75, 0.5, 0.25)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile("adam", loss, jit_compile=False)
    net.fit(images, labels, epochs=20, verbose=0)
    tx.export(net, folder / "model.elastic", samples=images, test=split)
    np.savez(folder / "resnet20_cifar10.npz", **random_state_dict(blocks=3))
    return {
        "keras": keras,
        "np": np,
        "te": te,
        "tx": tx,
        "model": model,
        "net": net,
        "data": data,
        "test": split,
        "images": images,
        "labels": labels,
        "samples": images,
        "train_images": images,
        "test_images": images,
        "test_labels": labels,
        "train": split,
        "image": images[0],
        "windows": images,
        "gestures": labels,
        "stopwatch": lambda _: 100.0,
        "MyScale": MyScale,
    }


class MyScale(layers.Layer):
    """One learned factor for each channel of the last axis."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.factor = self.add_weight(shape=(shape[-1],), name="factor")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs * self.factor


def random_state_dict(*, blocks: int) -> dict[str, Any]:
    """Return the state dictionary of a PyTorch ResNet for CIFAR, `blocks` in a stage, with random values."""
    rng = np.random.default_rng(0)
    state: dict[str, tuple[int, ...]] = {"linear.weight": (10, 64), "linear.bias": (10,)}
    convolutions, before = [("conv1", "bn1", 16, 3)], 16
    for stage, width in enumerate((16, 32, 64), start=1):
        for block in range(blocks):
            path = f"layer{stage}.{block}"
            convolutions.append((f"{path}.conv1", f"{path}.bn1", width, before))
            convolutions.append((f"{path}.conv2", f"{path}.bn2", width, width))
            before = width
    for convolution, norm, width, channels in convolutions:
        state[f"{convolution}.weight"] = (width, channels, 3, 3)
        for name in ("weight", "bias", "running_mean", "running_var"):
            state[f"{norm}.{name}"] = (width,)
    return {name: rng.random(shape, np.float32) for name, shape in state.items()}


def small_model() -> keras.Model:
    """Return a compiled residual net of 96 channels, whose latency falls with its width, for two classes."""
    inputs = keras.Input((8, 8, 1))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(96, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    for _ in range(2):
        x = layers.Add()([x, layers.Conv2D(96, 3, padding="same", activation="relu")(x)])
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], jit_compile=False)
    return model
