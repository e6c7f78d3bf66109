"""Damage done to `.tflite` files."""

from collections.abc import Iterator

import numpy as np

from tflite_export.tflite import kernels


def with_swapped_channels(tflite: bytes) -> Iterator[bytes]:
    """Yield, for each kernel of a file, the file with the kernel's first two outputs swapped."""
    for kernel in kernels(bytearray(tflite)):
        values = kernel.weights.values
        axis = 3 if kernel.operator == "DEPTHWISE_CONV_2D" else 0
        order = np.arange(values.shape[axis])
        order[:2] = order[:2][::-1]
        before, after = values.tobytes(), values.take(order, axis=axis).tobytes()
        if after != before:
            yield tflite.replace(before, after, 1)
