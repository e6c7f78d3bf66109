"""Make `golden.elastic` and `shared.elastic`: tiny variants of untrained networks, in the present format.

Run it by hand when the format changes: `python tests/tflite_export/bundle/make_golden.py`. The results are
checked in, because converters differ from version to version, and because readers in every language
are tested against these very bytes. `bundle.json` beside the results tells what is in them.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers
from tfelastic_runtime import Latency, Profile, VariantPlan

from tflite_export.bundle import kernel_slices
from tflite_export.bundle.manifest import Variant, describe
from tflite_export.bundle.writer import pack
from tflite_export.convert import convert
from tflite_export.tflite import buffers

FOLDER = Path(__file__).parents[3] / "runtime" / "conformance"
IMAGE_SHAPE = (4, 6, 3)
LABELS = ("kitten", "Möwe", "犬")
# name, width, channels, scheme, accuracy
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


def variants_of_golden() -> list[Variant]:
    """Convert three networks that have next to nothing in common but their tables."""
    found = []
    for name, width, channels, scheme, accuracy in GOLDEN:
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
                accuracy=accuracy,
                scheme=scheme,
                tflite=tflite,
                plan=VariantPlan({"conv2d": channels}, () if width == 1 else ("no such block",)),
                peak_bytes=72 + 8 * channels,
                arena_bytes=2048 if name == "w100" else None,
                accuracies={"keras": 0.9},
            )
        )
    return found


def variants_of_shared() -> list[Variant]:
    """Convert a wide and a narrow network in two schemes; narrow kernels are slices of wide ones."""
    files: dict[tuple[int, str], bytes] = {}
    found = []
    for name, width, channels, scheme, accuracy in SHARED:
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
                accuracy=accuracy,
                scheme=scheme,
                tflite=files[channels, scheme],
                plan=VariantPlan({"conv2d": channels}, ()),
                peak_bytes=2 * 24 * channels,
                arena_bytes=4096 if scheme == "int8" else None,
                accuracies={"keras": accuracy},
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


def write(name: str, variants: Sequence[Variant], profiles: Sequence[Profile] = ()) -> None:
    """Write a bundle."""
    manifest, payload = describe(variants, name=name, labels=LABELS, profiles=profiles)
    # The producer's version would otherwise change the bytes with every release.
    manifest = dataclasses.replace(manifest, producer="tfelastic golden")
    (FOLDER / f"{name}.elastic").write_bytes(pack(manifest, payload))


def main() -> None:
    """Write the bundles."""
    latencies = {"w100": Latency(40, 44, 200), "w050": Latency(25, 27, 200)}
    latencies["w025"] = Latency(10, 12, 200)
    write(
        "golden", variants_of_golden(), [Profile({"name": "imaginary", "cores": 2}, 1, latencies)]
    )
    write("shared", variants_of_shared())


if __name__ == "__main__":
    main()
