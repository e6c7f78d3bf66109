"""ResNet-8, converted at both ends of a ladder."""

import numpy as np
import pytest

import tfelastic as te
import tflite_export as tx
from tests.support.weights import randomize


@pytest.fixture(scope="session")
def resnet8_files() -> dict[str, bytes]:
    """Return the int8 files of ResNet-8 on colour images, at full and at a quarter of its width."""
    model = randomize(te.zoo.build("resnet8", input_shape=(32, 32, 3), classes=10), seed=0)
    samples = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    ladder = te.ladder(model, widths=(1.0, 0.25), round_to=8)
    models = {"w100": model, "w025": te.prune(model, ladder.rungs[1].plan)}
    return {name: tx.convert(each, samples=samples, strip=True) for name, each in models.items()}
