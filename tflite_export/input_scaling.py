"""Whether a model that is fed raw pixels was trained on images scaled outside of it.

Verification compares a file with its model, so it passes where both are fed wrongly. The sign is a score that is better
on scaled images, by more than its paired interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_export._verify import check_test, labels_by_output, metric_for, nested_outputs
from tflite_export.errors import VerificationError
from tflite_export.keras_models import Arrays, Signature, float_outputs
from tflite_export.quantize.calibration import spans_pixels
from tflite_export.scoring import loss_of

if TYPE_CHECKING:
    import keras

    from tfelastic import Metric
    from tfelastic.metrics import MetricLike

MOST_SAMPLES = 500
"""Three runs of so many are soon done."""

SMALLEST_LEAD = 0.05
"""How much better scaled images must do, in units of the score (of a share: 5 points).

A net that learned nothing may answer scaled images, nearly black ones, a little better by chance.
"""

SCALINGS = {
    "keras.layers.Rescaling(1 / 255)": (1 / 255, 0.0),
    "keras.layers.Rescaling(1 / 127.5, offset=-1)": (1 / 127.5, -1.0),
}
"""The layers that are most often left outside of a model, as factor and offset."""


def scaling_hint(
    model: "keras.Model", samples: Arrays, labels: Any, metric: "MetricLike | None" = None
) -> str:
    """Return a hint where a model does better on scaled images than on raw pixels; else nothing.

    Args:
        model: The Keras model.
        samples: As `verify` takes them; only inputs whose samples may be raw pixels are scaled.
        labels: As `verify` takes them.
        metric: As `verify` takes it.

    Raises:
        VerificationError: Samples and labels do not fit the model.
    """
    chosen, signature = metric_for(model, labels, metric), Signature.of(model)
    arrays = check_test(model, samples, labels, chosen)
    images = spans_pixels(signature, arrays)
    if not any(images):
        return ""
    rows = np.random.default_rng(0).permutation(len(arrays[0]))[:MOST_SAMPLES]
    names = [port.name for port in signature.outputs]
    truth = nested_outputs([each[rows] for each in labels_by_output(labels, names)], names)
    trial = _Trial(model, [each[rows] for each in arrays], images, names)
    raw = trial.outputs(1.0, 0.0)
    leads = {
        layer: (lead, scaled)
        for layer, scaling in SCALINGS.items()
        if (lead := _lead(chosen, truth, scaled := trial.outputs(*scaling), raw))
    }
    if not leads:
        return ""
    layer = max(leads, key=lambda each: leads[each][0])
    text = "{:.1%}" if chosen.is_share else "{:.4g}"
    before, after = (text.format(chosen.value(truth, each)) for each in (raw, leads[layer][1]))
    return (
        f"on {len(rows)} samples the Keras model's {chosen.name} is {before} with raw pixels, which a device feeds, "
        f"and {after} with images scaled as {layer} does: it was trained on images that were scaled outside of it; add "
        "this as its first layer"
    )


@dataclass(frozen=True)
class _Trial:
    """A model and the samples that it is tried on, one array per input; `images` says which are scaled."""

    model: "keras.Model"
    arrays: Sequence[np.ndarray]
    images: Sequence[bool]
    names: Sequence[str]

    def outputs(self, factor: float, offset: float) -> Any:
        """Return what the model gives for scaled images."""
        scaled = [
            np.float32(factor) * array.astype(np.float32) + np.float32(offset) if image else array
            for array, image in zip(self.arrays, self.images, strict=True)
        ]
        return nested_outputs(float_outputs(self.model, scaled), self.names)


def _lead(metric: "Metric", labels: Any, scaled: Any, raw: Any) -> float | None:
    """Return how much better the outputs for scaled images are, where that is no chance; else `None`."""
    try:
        lead, unit = loss_of(metric, labels, scaled, raw), metric.unit(labels, raw)
    except (ValueError, VerificationError):
        return None  # A score without a value on these outputs says nothing.
    return lead.mean if lead.low > 0 and lead.mean > SMALLEST_LEAD * unit else None
