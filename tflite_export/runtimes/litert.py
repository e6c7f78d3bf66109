"""Runs .tflite files through LiteRT: raw pixels in, logits out. The one module that opens its interpreter."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tflite_export.errors import ConversionError
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
    """A .tflite file with one input and one output, opened in LiteRT.

    An interpreter is not thread-safe: give each thread a `LiteModel` of its own.

    Args:
        tflite: The file's bytes.
        threads: Threads that one inference may use.
        reference: Whether to run TFLite's reference kernels.

    Raises:
        ConversionError: LiteRT cannot open the file, or it has several inputs or outputs.
    """

    def __init__(self, tflite: bytes, *, threads: int = 1, reference: bool = False) -> None:
        self._interpreter = open_interpreter(tflite, threads=threads, reference=reference)
        inputs, outputs = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )
        if len(inputs) != 1 or len(outputs) != 1:
            raise ConversionError(
                f"expected one input and one output, the file has {len(inputs)} and {len(outputs)}"
            )
        self._input, self._output = inputs[0], outputs[0]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input tensor, batch axis first."""
        return tuple(int(size) for size in self._input["shape"])

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Turn raw pixels into the input tensor's type: for int8 that is `uint8 - 128`.

        Args:
            images: Raw pixels 0..255 of any numeric type and shape.
        """
        return _quantize(np.asarray(images), self._input)

    def run(self, encoded: np.ndarray) -> np.ndarray:
        """Run one inference.

        Args:
            encoded: What `encode` returns for one image, `[height, width, channels]`.

        Returns:
            The output tensor as it is, `[classes]`.
        """
        self._interpreter.set_tensor(self._input["index"], encoded[np.newaxis])
        self._interpreter.invoke()
        output: np.ndarray = self._interpreter.get_tensor(self._output["index"])[0]
        return output

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return the real-valued outputs, float32 `[count, classes]`, of images of raw pixels."""
        outputs = np.stack([self.run(self.encode(image)) for image in images])
        scale, zero_point = self._output["quantization"]
        if scale == 0:
            return outputs.astype(np.float32)
        return (outputs.astype(np.float32) - zero_point) * np.float32(scale)


def predict(tflite: bytes, images: np.ndarray, *, threads: int | None = None) -> np.ndarray:
    """Run a whole set of images through LiteRT, split over threads.

    Each thread has an interpreter of its own with a batch of 1, as a device runs it: resizing the
    batch instead would break files whose Flatten became a reshape to a fixed size.

    Args:
        tflite: The file's bytes.
        images: Raw pixels 0..255, `[count, height, width, channels]`.
        threads: How many; the machine's cores unless given.

    Returns:
        Logits, float32 `[count, classes]`.
    """
    threads = max(1, min(threads or os.cpu_count() or 1, len(images)))
    models = [LiteModel(tflite) for _ in range(threads)]
    parts = np.array_split(images, threads)
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(LiteModel.logits, models, parts)))


def _quantize(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    dtype = np.dtype(tensor["dtype"])
    if not np.issubdtype(dtype, np.integer):
        return values.astype(dtype)
    scale, zero_point = tensor["quantization"]
    limits = np.iinfo(dtype)
    steps = np.round(values.astype(np.float32) / np.float32(scale)) + zero_point
    return np.clip(steps, limits.min, limits.max).astype(dtype)
