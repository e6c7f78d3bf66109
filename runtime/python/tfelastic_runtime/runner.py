"""Running one variant through LiteRT, and keeping few of them open.

LiteRT's XNNPACK kernels repack the weights for every open interpreter, so an open variant costs its
weights once more in memory. `RunnerPool` keeps the last used ones and closes the others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from tfelastic_runtime.bundle import Bundle
from tfelastic_runtime.encoding import decode, encode
from tfelastic_runtime.errors import BundleError
from tfelastic_runtime.variant import TensorSpec


class RunsImages(Protocol):
    """What the pool and the selector need of an open variant."""

    def run(self, image: np.ndarray) -> np.ndarray:
        """Return float32 `[classes]` for a uint8 image `[height, width, channels]`."""


class Runner:
    """One variant of a bundle, opened in LiteRT. Not thread-safe; it closes when it is dropped.

    Args:
        bundle: The bundle.
        name: The variant's name.
        threads: How many threads LiteRT may use.

    Raises:
        BundleError: LiteRT cannot open the variant, or it is not what the manifest says.
    """

    def __init__(self, bundle: Bundle, name: str, *, threads: int = 1) -> None:
        # Reading a bundle needs no interpreter, so it is imported only where one runs.
        from ai_edge_litert.interpreter import Interpreter

        manifest, info, model = bundle.manifest, bundle.variant(name), bundle.model(name)
        try:
            interpreter = Interpreter(model_content=model, num_threads=threads)
            interpreter.allocate_tensors()
            (taken,) = interpreter.get_input_details()
            (given,) = interpreter.get_output_details()
        except (ValueError, RuntimeError) as cause:
            raise BundleError(f"variant {name!r}: LiteRT cannot open it: {cause}") from cause
        _check_tensor(taken, info.input, (1, *manifest.input_shape), f"variant {name!r}: input")
        _check_tensor(given, info.output, (1, manifest.classes), f"variant {name!r}: output")
        self._shape = manifest.input_shape
        self._info = info
        self._interpreter = interpreter
        self._input, self._output = taken["index"], given["index"]

    def run(self, image: np.ndarray) -> np.ndarray:
        """Run the variant on raw pixels.

        Args:
            image: uint8 `[height, width, channels]`.

        Returns:
            float32 `[classes]`, a copy.

        Raises:
            InputError: The image has another shape or dtype than the bundle takes.
        """
        self._interpreter.set_tensor(
            self._input, encode(image, self._info.input, shape=self._shape)
        )
        self._interpreter.invoke()
        return decode(self._interpreter.get_tensor(self._output), self._info.output)


class RunnerPool:
    """The open variants of one bundle: at most `resident`, the least recently used closed first.

    Args:
        bundle: The bundle.
        threads: How many threads each interpreter may use.
        resident: How many variants may be open at once.
        open_runner: Opens a variant; called as `open_runner(bundle, name, threads=threads)`.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int = 1,
        resident: int = 2,
        open_runner: Callable[..., RunsImages] = Runner,
    ) -> None:
        for option, value in (("threads", threads), ("resident", resident)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{option} must be a positive integer, received {value!r}")
        self.bundle = bundle
        self.threads = threads
        self._resident = resident
        self._open_runner = open_runner
        self._open: OrderedDict[str, RunsImages] = OrderedDict()

    @property
    def open_names(self) -> tuple[str, ...]:
        """The open variants, least recently used first."""
        return tuple(self._open)

    def get(self, name: str, image: np.ndarray) -> RunsImages:
        """Return the named variant, opened and warm.

        Args:
            name: The variant's name.
            image: What a newly opened variant runs on once: its first run allocates and fills
                caches, and would spoil a measurement.
        """
        if name not in self._open:
            # Room is made first: both variants in memory at once is what `resident` rules out.
            while len(self._open) >= self._resident:
                self._open.popitem(last=False)
            runner = self._open_runner(self.bundle, name, threads=self.threads)
            runner.run(image)
            self._open[name] = runner
        self._open.move_to_end(name)
        return self._open[name]

    def close(self) -> None:
        """Close every open variant."""
        self._open.clear()


def _check_tensor(
    details: dict[str, Any], spec: TensorSpec, shape: tuple[int, ...], where: str
) -> None:
    found = (
        tuple(int(size) for size in details["shape"]),
        np.dtype(details["dtype"]).name,
        *details["quantization"],
    )
    # LiteRT tells scale 0 for a tensor that is not quantized.
    quantization = (
        (0.0, 0) if spec.dtype == "float32" else (float(np.float32(spec.scale)), spec.zero_point)
    )
    expected = (shape, spec.dtype, *quantization)
    if found != expected:
        raise BundleError(
            f"{where}: expected (shape, dtype, scale, zero point) {expected} as the manifest says, "
            f"the .tflite has {found}"
        )
