"""Make `golden.elastic`: three tiny variants of one untrained network, in the present format.

Run it by hand when the format changes: `python runtime/conformance/make_golden.py`. The result is
checked in, because converters differ from version to version, and because readers in every language
are tested against these very bytes. `bundle.json` beside it tells what is in it.
"""

import dataclasses
from pathlib import Path

import keras
import numpy as np
from tfelastic_runtime import Latency, Profile

from tflite_export.bundle.manifest import Variant, describe
from tflite_export.bundle.writer import pack
from tflite_export.convert import convert

TARGET = Path(__file__).with_name("golden.elastic")
IMAGE_SHAPE = (4, 6, 3)
LABELS = ("kitten", "Möwe", "犬")
# name, width, channels, scheme, accuracy
VARIANTS = (
    ("w100", 1.0, 8, "int8", 0.875),
    ("w050", 0.5, 4, "int8", 0.75),
    ("w025", 0.25, 2, "float32", 0.625),
)


def variant(name: str, width: float, channels: int, scheme: str, accuracy: float) -> Variant:
    """Convert one tiny convolutional network."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(IMAGE_SHAPE),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(channels, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(len(LABELS)),
        ]
    )
    samples = np.random.default_rng(0).integers(0, 256, (32, *IMAGE_SHAPE), np.uint8)
    tflite = convert(model, scheme=scheme, samples=samples)
    if name == "w050":
        # LiteRT ignores trailing bytes; these make the next variant need padding in front.
        tflite += b"tail!"
    # A valid 3x3 convolution of 4x6 pixels has 2x4 positions.
    macs = 2 * 4 * 27 * channels + channels * len(LABELS)
    return Variant(
        name=name,
        width=width,
        params=model.count_params(),
        macs=macs,
        accuracy=accuracy,
        scheme=scheme,
        tflite=tflite,
    )


def main() -> None:
    """Write the bundle."""
    variants = [variant(*row) for row in VARIANTS]
    latencies = {"w100": Latency(40, 44, 200), "w050": Latency(25, 27, 200)}
    latencies["w025"] = Latency(10, 12, 200)
    profile = Profile({"name": "imaginary", "cores": 2}, 1, latencies)
    manifest = describe(variants, name="golden", labels=LABELS, profiles=[profile])
    # The producer's version would otherwise change the bytes with every release.
    manifest = dataclasses.replace(manifest, producer="tfelastic golden")
    TARGET.write_bytes(pack(manifest, [each.tflite for each in variants]))


if __name__ == "__main__":
    main()
