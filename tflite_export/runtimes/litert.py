"""Runs .tflite files through LiteRT: real values in, real values out. The one module that opens its interpreter."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tflite_export.errors import ConversionError, VerificationError
from tflite_export.stderr import capture_stderr


def open_interpreter(tflite: bytes, *, threads: int = 1, reference: bool = False) -> Any:
    """Open a .tflite file in LiteRT, its tensors allocated.

    Args:
        tflite: The file's bytes.
        threads: Threads that one inference may use.
        reference: Whether to run TFLite's reference kernels, which define what an operator computes,
            rather than the fast ones; XNNPACK rounds integers in a way of its own.

    Raises:
        ConversionError: LiteRT cannot open the file.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
    with capture_stderr() as captured:
        try:
            interpreter = Interpreter(
                model_content=tflite,
                num_threads=threads,
                experimental_op_resolver_type=resolver,
            )
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ConversionError(
                f"LiteRT cannot open the file: {error}\n{captured.tail()}"
            ) from error
    return interpreter


class LiteModel:
    """A .tflite file opened in LiteRT.

    An interpreter is not thread-safe: give each thread a `LiteModel` of its own.

    Args:
        tflite: The file's bytes.
        threads: Threads that one inference may use.
        reference: Whether to run TFLite's reference kernels.

    Raises:
        ConversionError: LiteRT cannot open the file.
    """

    def __init__(self, tflite: bytes, *, threads: int = 1, reference: bool = False) -> None:
        self._interpreter = open_interpreter(tflite, threads=threads, reference=reference)
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()

    @property
    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the input tensors, batch axis first."""
        return tuple(tuple(int(size) for size in each["shape"]) for each in self._inputs)

    def encode(self, values: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Turn real values into the input tensors' types: of raw pixels, int8 is `uint8 - 128`.

        Args:
            values: One array per input, of any numeric type and shape.
        """
        if len(values) != len(self._inputs):
            raise ConversionError(f"the file has {len(self._inputs)} inputs, got {len(values)}")
        return tuple(map(_quantize, values, self._inputs))

    def run(self, encoded: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Run one inference.

        Args:
            encoded: What `encode` returns for one sample, without the batch axis.

        Returns:
            The output tensors as they are, without the batch axis.
        """
        for tensor, values in zip(self._inputs, encoded, strict=True):
            self._interpreter.set_tensor(tensor["index"], values[np.newaxis])
        self._interpreter.invoke()
        return tuple(self._interpreter.get_tensor(each["index"])[0] for each in self._outputs)

    def outputs(self, values: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Return the real-valued outputs of samples, float32 `[count, ...]` each.

        Args:
            values: One array `[count, ...]` per input.
        """
        encoded = self.encode(values)
        found = [self.run(sample) for sample in zip(*encoded, strict=True)]
        stacked = map(np.stack, zip(*found, strict=True))
        return tuple(map(_dequantize, stacked, self._outputs))


def predict(tflite: bytes, samples: Any, *, threads: int | None = None) -> Any:
    """Run many samples through LiteRT, split over threads.

    Each thread has an interpreter of its own with a batch of 1, as a device runs it: resizing the
    batch instead would break files whose Flatten became a reshape to a fixed size.

    Args:
        tflite: The file's bytes.
        samples: Real values, or raw pixels 0..255: `[count, ...]`; for several inputs a list or tuple of
            arrays in the file's order.
        threads: How many; the machine's cores unless given.

    Returns:
        The outputs, float32 `[count, ...]`; of several a tuple, in the file's order.

    Raises:
        ConversionError: LiteRT cannot open the file.
        VerificationError: There are no samples, or they have another shape than the file's inputs.
    """
    found = predict_all(
        tflite, samples if isinstance(samples, list | tuple) else (samples,), threads=threads
    )
    return found[0] if len(found) == 1 else found


def predict_all(
    tflite: bytes,
    arrays: Sequence[np.ndarray],
    *,
    threads: int | None = None,
    reference: bool = False,
) -> tuple[np.ndarray, ...]:
    """Do what `predict` does, with one array per input in, and a tuple out; `reference` as for `LiteModel`."""
    threads = max(1, min(threads or os.cpu_count() or 1, len(arrays[0])))
    models = [LiteModel(tflite, reference=reference) for _ in range(threads)]
    _check_shapes(arrays, models[0].input_shapes)
    parts = zip(*(np.array_split(array, threads) for array in arrays), strict=True)
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(LiteModel.outputs, models, parts))
    return tuple(map(np.concatenate, zip(*found, strict=True)))


def _check_shapes(arrays: Sequence[np.ndarray], inputs: Sequence[tuple[int, ...]]) -> None:
    for number, (array, shape) in enumerate(zip(arrays, inputs, strict=False)):
        if np.shape(array)[1:] != shape[1:] or len(array) == 0:
            expected = ", ".join(map(str, ("count", *shape[1:])))
            raise VerificationError(
                f"samples for input {number} of the file must have the shape [{expected}] with at least one sample, "
                f"got {list(np.shape(array))}"
            )


def _quantize(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    values, dtype = np.asarray(values), np.dtype(tensor["dtype"])
    scale, zero_point = tensor["quantization"]
    if not np.issubdtype(dtype, np.integer) or scale == 0:
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    steps = np.round(values.astype(np.float32) / np.float32(scale)) + zero_point
    return np.clip(steps, limits.min, limits.max).astype(dtype)


def _dequantize(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    scale, zero_point = tensor["quantization"]
    if scale == 0:
        return values.astype(np.float32)
    real: np.ndarray = (values.astype(np.float32) - zero_point) * np.float32(scale)
    return real
