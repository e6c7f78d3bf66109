"""Representative samples: what the converter watches to set the activations' ranges.

The contract of an image fixes the input's range before any sample is seen. A device feeds raw pixels, and
the file takes them as `uint8 - 128`, which is scale 1 and zero point -128, which is exactly the
range 0..255. The converter takes that range from the samples, and few sets of photographs hold both
a 0 and a 255. So the darkest value of the whole set is set to 0 and the brightest to 255: two
values change, by as little as any choice of two could change them, and the range of every later
activation stays what real images make it. (A black and a white image would also do, and could
stretch every range in the net.) The range of any other input is that of its samples.

A scheme of 16 bits has levels to spare, so its ranges are wider than the samples' (`Scheme.headroom`).
"""

from collections.abc import Sequence

import numpy as np

from tflite_export.errors import CalibrationError
from tflite_export.keras_models import Port, Signature

DEFAULT_COUNT = 256
"""Samples drawn when the caller offers more; the converter runs each through its slow kernels."""

DARKEST, BRIGHTEST = 0.0, 255.0


def takes_images(
    signature: Signature, arrays: Sequence[np.ndarray] | None, *, raw_pixels: bool | None = None
) -> tuple[bool, ...]:
    """Return for each input whether it is an image of raw pixels, as far as is known.

    An image has three axes, the last one of 1, 3 or 4 channels. Its samples are pixels where they are uint8, or lie
    from 0 to 255 with some above 1 and are whole numbers or meet a `Rescaling` from that range first. Features may
    happen to lie in that range too: anything else is real values.

    Args:
        signature: What the model takes.
        arrays: One array of samples per input, where there are any.
        raw_pixels: What the user says of all inputs of an image's shape; `None` for what the samples say.
    """
    images = tuple(port.may_be_image for port in signature.inputs)
    if raw_pixels is not None:
        return tuple(image and raw_pixels for image in images)
    if arrays is None:
        return images
    return tuple(
        spans and (port.scales_pixels or _are_whole(array))
        for spans, port, array in zip(
            spans_pixels(signature, arrays), signature.inputs, arrays, strict=True
        )
    )


def spans_pixels(signature: Signature, arrays: Sequence[np.ndarray]) -> tuple[bool, ...]:
    """Return for each input whether it has an image's shape, and samples that raw pixels could be."""
    return tuple(
        port.may_be_image and _may_be_pixels(array)
        for port, array in zip(signature.inputs, arrays, strict=True)
    )


def representative(
    arrays: Sequence[np.ndarray],
    *,
    images: Sequence[bool],
    count: int = DEFAULT_COUNT,
    seed: int = 0,
) -> tuple[np.ndarray, ...]:
    """Draw calibration samples; those of an image cover the whole range of raw pixels.

    Args:
        arrays: One array `[samples, ...]` per input.
        images: For each input whether it is an image of raw pixels 0..255.
        count: How many to draw, without repetition; all of them where there are no more.
        seed: Decides the draw.

    Returns:
        float32 `[count, ...]` per input, an image with smallest value 0 and largest 255.

    Raises:
        CalibrationError: The samples are no numbers, not finite, or not raw pixels where these are due.
    """
    if count < 1:
        raise CalibrationError(f"count must be at least 1, got {count}")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(arrays[0]))[:count])
    drawn = []
    for array, image in zip(arrays, images, strict=True):
        if image:
            _check_raw_pixels(array)
            drawn.append(cover_raw_range(array[chosen]))
        else:
            drawn.append(_finite(array[chosen]))
    return tuple(drawn)


def with_headroom(
    arrays: Sequence[np.ndarray], headroom: float, *, ports: Sequence[Port]
) -> tuple[np.ndarray, ...]:
    """Return calibration samples and, behind them, the same so many times as large.

    What lies outside the samples' range is clipped, which a device's data often are once in a thousand values. Where
    there are levels to spare, a wider range costs no precision that shows.

    Args:
        arrays: Samples as `representative` returns them.
        headroom: The factor; 1 adds nothing.
        ports: The model's inputs; indices, which are no quantities, are only repeated.
    """
    if headroom == 1:
        return tuple(arrays)
    return tuple(
        np.concatenate([array, array if port.holds_indices else headroom * array])
        for array, port in zip(arrays, ports, strict=True)
    )


def cover_raw_range(samples: np.ndarray) -> np.ndarray:
    """Return the samples as float32, their darkest value set to 0, their brightest to 255."""
    covered = samples.astype(np.float32)
    flat = covered.reshape(-1)
    darkest, brightest = int(flat.argmin()), int(flat.argmax())
    if darkest == brightest:
        brightest = flat.size - 1
    flat[darkest], flat[brightest] = DARKEST, BRIGHTEST
    return covered


def _may_be_pixels(samples: np.ndarray) -> bool:
    if samples.dtype == np.uint8 or not np.issubdtype(samples.dtype, np.number):
        return samples.dtype == np.uint8
    return bool(samples.min() >= DARKEST and 1.0 < samples.max() <= BRIGHTEST)


def _are_whole(samples: np.ndarray) -> bool:
    return samples.dtype.kind != "f" or bool((samples == np.rint(samples)).all())


def _finite(samples: np.ndarray) -> np.ndarray:
    if samples.dtype.kind not in "iufb":
        raise CalibrationError(f"calibration samples must be numbers, got {samples.dtype}")
    if not np.isfinite(samples).all():
        raise CalibrationError("calibration samples hold NaN or infinity")
    return samples.astype(np.float32)


def _check_raw_pixels(samples: np.ndarray) -> None:
    if samples[0].size < 2:
        raise CalibrationError(
            "calibration needs at least two values in a sample, to span the range"
        )
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
