"""Running one variant through LiteRT, and keeping few of them open.

LiteRT's XNNPACK kernels repack the weights for every open interpreter, so an open variant costs its
weights once more in memory. `RunnerPool` keeps the last used ones and closes the others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from tfelastic_runtime.bundle import Bundle
from tfelastic_runtime.encoding import Encoder, decode
from tfelastic_runtime.errors import BundleError, InputError
from tfelastic_runtime.interface import InputSpec, OutputSpec, TensorSpec

Inputs = np.ndarray | Mapping[str, np.ndarray]
"""One array for a network of one input; else one per input, by name."""
Outputs = dict[str, np.ndarray]


def blank_inputs(specs: Sequence[InputSpec]) -> dict[str, np.ndarray]:
    """Return inputs of zeros: black pixels, and values of 0."""
    return {
        spec.name: np.zeros(spec.shape[1:], np.uint8 if spec.kind == "image" else np.float32)
        for spec in specs
    }


class OpenVariant(Protocol):
    """What the pool and the selector need of an open variant."""

    def run(self, inputs: Inputs) -> Outputs:
        """Return the outputs by name, float32, for the given inputs."""


class Runner:
    """One variant of a bundle, opened in LiteRT. Not thread-safe; it closes when it is dropped.

    Args:
        bundle: The bundle.
        name: The variant's name.
        threads: How many threads LiteRT may use.
        xnnpack: Whether XNNPACK's kernels run what they can; otherwise LiteRT's own do.

    Raises:
        BundleError: LiteRT cannot open the variant, or it is not what the manifest says.
    """

    def __init__(
        self, bundle: Bundle, name: str, *, threads: int = 1, xnnpack: bool = True
    ) -> None:
        # Reading a bundle needs no interpreter, so it is imported only where one runs.
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        manifest, variant, model = bundle.manifest, bundle.variant(name), bundle.model(name)
        try:
            interpreter = Interpreter(
                model_content=model,
                num_threads=threads,
                experimental_op_resolver_type=OpResolverType.AUTO
                if xnnpack
                else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            interpreter.allocate_tensors()
            taken, given = interpreter.get_input_details(), interpreter.get_output_details()
        except (ValueError, RuntimeError) as cause:
            raise BundleError(f"variant {name!r}: LiteRT cannot open it: {cause}") from cause
        where = f"variant {name!r}"
        inputs = _indices(manifest.inputs, variant.inputs, taken, f"{where}: input")
        outputs = _indices(manifest.outputs, variant.outputs, given, f"{where}: output")
        self._interpreter = interpreter
        self._inputs = {
            spec.name: (index, Encoder(spec, tensor))
            for spec, tensor, index in zip(manifest.inputs, variant.inputs, inputs, strict=True)
        }
        self._outputs = {
            spec.name: (index, tensor)
            for spec, tensor, index in zip(manifest.outputs, variant.outputs, outputs, strict=True)
        }

    def run(self, inputs: Inputs) -> Outputs:
        """Run the variant.

        Args:
            inputs: An array for the one input, or arrays by the inputs' names, each without the first
                axis: uint8 pixels for an image, floating point for values.

        Returns:
            float32 arrays by the outputs' names, without the first axis, each the caller's own.

        Raises:
            InputError: An input is missing, unknown, of another shape or dtype, or not finite.
        """
        values = self._named(inputs)
        for name, (index, encoder) in self._inputs.items():
            self._interpreter.set_tensor(index, encoder.encode(values[name]))
        self._interpreter.invoke()
        # Views of the interpreter's memory: a copy of the stored values would be one too many.
        return {
            name: decode(self._interpreter.tensor(index)(), tensor)
            for name, (index, tensor) in self._outputs.items()
        }

    def _named(self, inputs: Inputs) -> Mapping[str, np.ndarray]:
        if not isinstance(inputs, Mapping):
            if len(self._inputs) == 1:
                return dict.fromkeys(self._inputs, inputs)
            raise InputError(
                f"the network has {len(self._inputs)} inputs: expected arrays by name, for "
                f"{_listed(self._inputs)}, received a {type(inputs).__name__}"
            )
        if inputs.keys() != self._inputs.keys():
            raise InputError(
                f"expected arrays for the inputs {_listed(self._inputs)}, "
                f"received {_listed(inputs) or 'none'}"
            )
        return inputs


class RunnerPool:
    """The open variants of one bundle: at most `resident`, the least recently used closed first.

    Args:
        bundle: The bundle.
        threads: How many threads each interpreter may use.
        resident: How many variants may be open at once.
        open_runner: Opens a variant; called as `open_runner(bundle, name, threads=threads)`.

    Attributes:
        changes: How often the open variants have changed.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int = 1,
        resident: int = 2,
        open_runner: Callable[..., OpenVariant] = Runner,
    ) -> None:
        for option, value in (("threads", threads), ("resident", resident)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{option} must be a positive integer, received {value!r}")
        self.bundle = bundle
        self.threads = threads
        self.changes = 0
        self._resident = resident
        self._open_runner = open_runner
        self._open: OrderedDict[str, OpenVariant] = OrderedDict()

    @property
    def open_names(self) -> tuple[str, ...]:
        """The open variants, least recently used first."""
        return tuple(self._open)

    def get(self, name: str, inputs: Inputs) -> OpenVariant:
        """Return the named variant, opened and warm.

        Args:
            name: The variant's name.
            inputs: What a newly opened variant runs on once: its first run allocates and fills
                caches, and would spoil a measurement.
        """
        if name not in self._open:
            self.changes += 1
            # Room is made first: both variants in memory at once is what `resident` rules out.
            while len(self._open) >= self._resident:
                self._open.popitem(last=False)
            runner = self._open_runner(self.bundle, name, threads=self.threads)
            runner.run(inputs)
            self._open[name] = runner
        self._open.move_to_end(name)
        return self._open[name]

    def discard(self, name: str) -> None:
        """Close the named variant, where it is open."""
        self._open.pop(name, None)
        self.changes += 1

    def close(self) -> None:
        """Close every open variant."""
        self._open.clear()
        self.changes += 1


def _indices(
    specs: Sequence[InputSpec | OutputSpec],
    tensors: Sequence[TensorSpec],
    details: Sequence[dict[str, Any]],
    where: str,
) -> list[int]:
    """Return LiteRT's index of each tensor of the interface, after comparing it with the manifest."""
    if len(details) != len(specs):
        raise BundleError(
            f"{where}s: expected {len(specs)} as the manifest says, the .tflite has {len(details)}"
        )
    found = []
    for spec, tensor in zip(specs, tensors, strict=True):
        detail = details[tensor.position]
        _check_tensor(detail, tensor, spec.shape, f"{where} {spec.name!r}")
        found.append(int(detail["index"]))
    return found


def _check_tensor(
    detail: dict[str, Any], tensor: TensorSpec, shape: tuple[int, ...], where: str
) -> None:
    scale, zero_point = detail["quantization"]
    found = (
        tuple(int(size) for size in detail["shape"]),
        np.dtype(detail["dtype"]).name,
        # LiteRT gives scale 0 for a tensor that is not quantized.
        float(scale) or 1.0,
        int(zero_point),
    )
    expected = (shape, tensor.dtype, float(np.float32(tensor.scale)), tensor.zero_point)
    if found != expected:
        raise BundleError(
            f"{where}: expected (shape, dtype, scale, zero point) {expected} as the manifest says, "
            f"the .tflite has {found}"
        )


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(repr, names))
