"""Make the golden bundles: tiny variants of untrained networks, in the present format.

Run it by hand when the format changes: `python tests/tflite_export/bundle/make_golden.py`. The results are
checked in, because converters differ from version to version, and because readers in every language
are tested against these very bytes. `bundle.json` beside the results tells what is in them.
"""

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from tfelastic_runtime import (
    InputSpec,
    Latency,
    OutputSpec,
    Profile,
    ScoreSpec,
    VariantPlan,
)

from tflite_export._convert import convert
from tflite_export.bundle import Interface, kernel_slices
from tflite_export.bundle.manifest import Variant, describe
from tflite_export.bundle.writer import pack
from tflite_export.tflite import buffers

FOLDER = Path(__file__).parents[3] / "runtime" / "conformance"
IMAGE_SHAPE = (4, 6, 3)
LABELS = ("kitten", "Möwe", "犬")
# name, width, channels, scheme, score
GOLDEN = (
    ("w100", 1.0, 8, "int8", 0.875),
    ("w050", 0.5, 4, "int8", 0.75),
    ("w025", 0.25, 2, "float32", 0.625),
)
SHARED = (
    ("w100-int8", 1.0, 16, "int8", 0.875),
    ("w100", 1.0, 16, "float32", 0.875),
    ("w050-int8", 0.5, 8, "int8", 0.75),
    ("w050", 0.5, 8, "float32", 0.75),
)
# name, scheme, the type of inputs and outputs, score
INTERFACES = (
    ("float32", "float32", None, 0.125),
    ("int16", "int16x8", tf.int16, 0.25),
    ("int8", "int8", tf.int8, 0.25),
    ("uint8", "int8", tf.uint8, 0.5),
)
INTERFACE = Interface(
    (
        InputSpec("image", (1, *IMAGE_SHAPE), "image"),
        InputSpec("features", (1, 5)),
        InputSpec("previous", (1, 5)),
    ),
    (
        OutputSpec("animal", (1, 3), "logits", LABELS),
        OutputSpec("box", (1, 2), "values", ("x", "y")),
        OutputSpec("mask", (1, 4, 6, 2), "probabilities"),
        OutputSpec("index", (1,)),
    ),
    ScoreSpec("mean_absolute_error", higher_is_better=False),
)
"""Several inputs, two of one shape; several outputs, one of them an int32 in every variant."""
ENDPOINT = "serve"
POSITIONS = 6
"""Pixels behind the shared network's Flatten."""


def golden(channels: int) -> keras.Model:
    """Return a network of one convolution."""
    return keras.Sequential(
        [
            keras.Input(IMAGE_SHAPE),
            layers.Rescaling(1 / 255),
            layers.Conv2D(channels, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(len(LABELS)),
        ]
    )


def shared(channels: int) -> keras.Model:
    """Return a network with kernels of every kind, narrow ones of which lie in wide ones each its way."""
    return keras.Sequential(
        [
            keras.Input(IMAGE_SHAPE),
            layers.Rescaling(1 / 255),
            layers.Conv2D(channels, 3, padding="same", activation="relu"),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(len(LABELS)),
        ]
    )


def converted(model: keras.Model, scheme: str) -> bytes:
    """Return a network's .tflite."""
    samples = np.random.default_rng(0).integers(0, 256, (32, *IMAGE_SHAPE), np.uint8)
    return convert(model, scheme=scheme, samples=samples)


def interfaces() -> keras.Model:
    """Return a network of `INTERFACE`."""
    image, new, old = (keras.Input(spec.shape[1:], name=spec.name) for spec in INTERFACE.inputs)
    scaled = layers.Rescaling(1 / 255)(image)
    mask = layers.Softmax()(layers.Conv2D(2, 3, padding="same")(scaled))
    values = layers.Concatenate()([new, layers.Rescaling(0.5)(old)])
    both = layers.Concatenate()([layers.GlobalAveragePooling2D()(scaled), values])
    animal = layers.Dense(len(LABELS))(both)
    return keras.Model([image, new, old], [animal, layers.Dense(2)(values), mask])


def converted_as(model: keras.Model, scheme: str, dtype: tf.DType | None) -> bytes:
    """Return the .tflite of a network of `INTERFACE`, whose inputs and outputs have the given type."""

    def serve(image: tf.Tensor, features: tf.Tensor, previous: tf.Tensor) -> dict[str, tf.Tensor]:
        animal, box, mask = model([image, features, previous])
        index = tf.argmax(animal, axis=-1, output_type=tf.int32)
        return {"animal": animal, "box": box, "mask": mask, "index": index}

    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = [tf.TensorSpec(spec.shape, tf.float32, name=spec.name) for spec in INTERFACE.inputs]
    with tempfile.TemporaryDirectory() as folder:
        archive.add_endpoint(ENDPOINT, serve, input_signature=signature)
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[ENDPOINT])
        return _converted(converter, scheme, dtype)


def _converted(converter: tf.lite.TFLiteConverter, scheme: str, dtype: tf.DType | None) -> bytes:
    if dtype is None:
        return converter.convert()
    sets = tf.lite.OpsSet
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = (
        # The operator behind the int32 output has no kernel for int16 and stays float32.
        [
            sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
            sets.TFLITE_BUILTINS,
        ]
        if scheme == "int16x8"
        else [sets.TFLITE_BUILTINS_INT8]
    )
    converter.inference_input_type = converter.inference_output_type = dtype
    rng = np.random.default_rng(0)

    def samples() -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        for _ in range(32):
            pixels = rng.integers(0, 256, INTERFACE.inputs[0].shape).astype(np.float32)
            pixels.flat[:2] = 0, 255
            new, old = rng.uniform(-3, 5, (2, 1, 5)).astype(np.float32)
            yield ENDPOINT, {"image": pixels, "features": new, "previous": old}

    converter.representative_dataset = samples
    return converter.convert()


def variants_of_interfaces() -> list[Variant]:
    """Convert one network with inputs and outputs of every type."""
    keras.utils.set_random_seed(0)
    model = interfaces()
    return [
        Variant(
            name=name,
            width=1.0,
            params=model.count_params(),
            macs=24 * 27 * 2 + 13 * 3 + 10 * 2,
            score=score,
            scheme=scheme,
            tflite=converted_as(model, scheme, dtype),
            metrics={"r2": -0.5},
        )
        for name, scheme, dtype, score in INTERFACES
    ]


def variants_of_golden() -> list[Variant]:
    """Convert three networks that have next to nothing in common but their tables."""
    found = []
    for name, width, channels, scheme, score in GOLDEN:
        keras.utils.set_random_seed(0)
        model = golden(channels)
        tflite = converted(model, scheme)
        if name == "w050":
            # LiteRT ignores trailing bytes; a bundle must give them back.
            tflite += b"tail!"
        found.append(
            Variant(
                name=name,
                width=width,
                params=model.count_params(),
                # A valid 3x3 convolution of 4x6 pixels has 2x4 positions.
                macs=2 * 4 * 27 * channels + channels * len(LABELS),
                score=score,
                scheme=scheme,
                tflite=tflite,
                plan=VariantPlan({"conv2d": channels}, () if width == 1 else ("no such block",)),
                peak_bytes=72 + 8 * channels,
                arena_bytes=2048 if name == "w100" else None,
                metrics={"accuracy_keras": 0.9},
            )
        )
    return found


def variants_of_shared() -> list[Variant]:
    """Convert a wide and a narrow network in two schemes; narrow kernels are slices of wide ones."""
    files: dict[tuple[int, str], bytes] = {}
    found = []
    for name, width, channels, scheme, score in SHARED:
        keras.utils.set_random_seed(0)
        model = shared(channels)
        files[channels, scheme] = converted(model, scheme)
        if width < 1:
            wide = files[SHARED[0][2], scheme]
            files[channels, scheme] = transplant(files[channels, scheme], wide, scheme)
        found.append(
            Variant(
                name=name,
                width=width,
                params=model.count_params(),
                macs=24 * (27 + 9) * channels + 6 * 9 * channels**2 + 18 * channels,
                score=score,
                scheme=scheme,
                tflite=files[channels, scheme],
                plan=VariantPlan({"conv2d": channels}, ()),
                peak_bytes=2 * 24 * channels,
                arena_bytes=4096 if scheme == "int8" else None,
                metrics={"accuracy_keras": score},
            )
        )
    return found


def transplant(narrow: bytes, wide: bytes, scheme: str) -> bytes:
    """Give a narrow network's kernels the wide one's values, in float32 times factors."""
    rng, data = np.random.default_rng(1), bytearray(narrow)
    dtype = {"int8": np.int8, "float32": np.float32}[scheme]
    for kept, taken in zip(buffers(narrow), buffers(wide), strict=True):
        if len(kept.shape) < 2 or kept.dtype != scheme:
            continue
        source = kernel_slices.matrix(
            np.frombuffer(wide, dtype, taken.bytes // dtype().itemsize, taken.offset).reshape(
                taken.shape
            )
        )
        values = leading(source, kept.shape).copy()
        if scheme == "float32":
            channels = values.shape[0] if values.shape[0] > 1 else values.shape[2]
            factors = rng.uniform(0.5, 2, channels).astype(np.float32)
            values *= factors[:, None, None] if values.shape[0] > 1 else factors
        data[kept.offset : kept.offset + kept.bytes] = values.tobytes()
    return bytes(data)


def leading(source: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return the leading part of `[rows, taps, columns]` that a kernel of `shape` keeps."""
    rows = shape[0]
    if len(shape) == 4:
        return source[:rows, :, : shape[-1]]
    by_position = source.reshape(source.shape[0], POSITIONS, -1)
    return by_position[:rows, :, : shape[-1] // POSITIONS].reshape(rows, 1, -1)


def write(name: str, variants: Sequence[Variant], **options: Any) -> None:
    """Write a bundle; `options` are those of `describe`."""
    manifest, payload = describe(variants, name=name, **options)
    # The producer's version would otherwise change the bytes with every release.
    manifest = dataclasses.replace(manifest, producer="tfelastic golden")
    (FOLDER / f"{name}.elastic").write_bytes(pack(manifest, payload))


def main() -> None:
    """Write the bundles."""
    latencies = {"w100": Latency(40, 44, 200), "w050": Latency(25, 27, 200)}
    latencies["w025"] = Latency(10, 12, 200)
    profile = Profile({"name": "imaginary", "cores": 2}, 1, latencies)
    write("golden", variants_of_golden(), labels=LABELS, profiles=[profile])
    write("shared", variants_of_shared(), labels=LABELS)
    write("interfaces", variants_of_interfaces(), interface=INTERFACE)


if __name__ == "__main__":
    main()
