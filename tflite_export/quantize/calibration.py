"""Representative samples: what the converter watches to set the activations' ranges.

The input contract fixes the input's range before any sample is seen. A device feeds raw pixels, and
the file takes them as `uint8 - 128`, which is scale 1 and zero point -128, which is exactly the
range 0..255. The converter takes that range from the samples, and few sets of photographs hold both
a 0 and a 255. So the darkest value of the whole set is set to 0 and the brightest to 255: two
values change, by as little as any choice of two could change them, and the range of every later
activation stays what real images make it. (A black and a white image would also do, and could
stretch every range in the net.)
"""

import numpy as np

from tflite_export.errors import CalibrationError

DEFAULT_COUNT = 256
"""Samples drawn when the caller offers more; the converter runs each through its slow kernels."""

DARKEST, BRIGHTEST = 0.0, 255.0


def representative(
    samples: np.ndarray, *, image_shape: tuple[int, ...], count: int = DEFAULT_COUNT, seed: int = 0
) -> np.ndarray:
    """Draw calibration samples that cover the whole range of raw pixels.

    Args:
        samples: Raw pixels 0..255, uint8 or float `[samples, height, width, channels]`.
        image_shape: What the model takes: `(height, width, channels)`.
        count: How many to draw, without repetition; all of them where there are no more.
        seed: Decides the draw.

    Returns:
        float32 `[count, height, width, channels]` with smallest value 0 and largest 255.

    Raises:
        CalibrationError: The samples are missing, of another shape, or not raw pixels.
    """
    samples = np.asarray(samples)
    if samples.ndim == 0 or samples.shape[1:] != image_shape or len(samples) == 0:
        raise CalibrationError(
            f"calibration samples must have the shape [count, {', '.join(map(str, image_shape))}] "
            f"with at least one sample, got {list(samples.shape)}"
        )
    if samples[0].size < 2:
        raise CalibrationError(
            "calibration needs at least two values in a sample, to span the range"
        )
    if count < 1:
        raise CalibrationError(f"count must be at least 1, got {count}")
    _check_raw_pixels(samples)
    chosen = np.random.default_rng(seed).permutation(len(samples))[:count]
    return cover_raw_range(samples[np.sort(chosen)])


def cover_raw_range(samples: np.ndarray) -> np.ndarray:
    """Return the samples as float32, their darkest value set to 0, their brightest to 255."""
    covered = samples.astype(np.float32)
    flat = covered.reshape(-1)
    darkest, brightest = int(flat.argmin()), int(flat.argmax())
    if darkest == brightest:
        brightest = flat.size - 1
    flat[darkest], flat[brightest] = DARKEST, BRIGHTEST
    return covered


def _check_raw_pixels(samples: np.ndarray) -> None:
    if samples.dtype == np.uint8:
        return
    if not np.issubdtype(samples.dtype, np.floating):
        raise CalibrationError(f"calibration samples must be uint8 or float, got {samples.dtype}")
    low, high = float(samples.min()), float(samples.max())
    # Written so that NaN, too, fails.
    if not (low >= DARKEST and 1.0 < high <= BRIGHTEST):
        raise CalibrationError(
            f"calibration samples must be raw pixels 0..255, got values from {low:g} to {high:g}; "
            "keep the scaling inside the model (a Rescaling or Normalization layer) and pass the "
            "images as they are"
        )
