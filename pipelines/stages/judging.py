"""What a finished net is judged by: its costs, and its accuracy on the test images in Keras and after conversion."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.stages.base import Run, some_images

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Verdict:
    """What judging a net gave: figures as plain data, its hits on the test images, bool `[images]`, its file."""

    figures: dict[str, Any]
    hits: np.ndarray
    tflite: bytes


def judge(run: Run, net: "keras.Model") -> Verdict:
    """Count, convert and test a net."""
    import tfelastic as te
    import tflite_export as tx
    from pipelines.stages.training import hits
    from tflite_export import predict

    spec, test = run.recipe.export, run.dataset.test
    samples = some_images(run.learned.images, spec.calibration, seed=run.recipe.seed)
    tflite = tx.convert(net, scheme=spec.scheme, samples=samples, seed=run.recipe.seed)
    found, cost = hits(net, test), te.cost(net)
    converted = predict(tflite, test.images).argmax(axis=1) == test.labels
    figures = {
        "params": cost.params,
        "macs": cost.macs,
        "peak_bytes": cost.peak_bytes,
        "tflite_bytes": len(tflite),
        "accuracy_keras": float(found.mean()),
        "accuracy_tflite": float(converted.mean()),
    }
    return Verdict(figures, found, tflite)
