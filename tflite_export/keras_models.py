"""What the exporter asks of a Keras model: its inputs and outputs by name, its kernels, its outputs in float32."""

import contextlib
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_export.errors import BackendError, ConversionError, TfliteExportError

if TYPE_CHECKING:
    import keras

BATCH_SIZE = 256

IMAGE_CHANNELS = (1, 3, 4)

Arrays = np.ndarray | Sequence[np.ndarray] | Mapping[str, np.ndarray]
"""A model's samples: one array for one input, else a sequence in the model's order, or a dict by name."""


@dataclass(frozen=True)
class Port:
    """An input or output of a model.

    Attributes:
        name: Its name, unique among the inputs, or among the outputs.
        shape: Its shape without the batch.
        dtype: The type that Keras has for it.
        scales_pixels: Whether it is an input that meets a `Rescaling` from 0..255 to 0..1 or -1..1 first.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales_pixels: bool = False

    @property
    def may_be_image(self) -> bool:
        """Whether its shape is that of an image: height, width, and 1, 3 or 4 channels."""
        return len(self.shape) == 3 and self.shape[-1] in IMAGE_CHANNELS

    @property
    def holds_indices(self) -> bool:
        """Whether it takes integers that are no quantity, such as words of a vocabulary."""
        return self.dtype in ("int32", "int64") and not self.may_be_image


@dataclass(frozen=True)
class Signature:
    """What goes into a model and comes out of it, in the model's order.

    Attributes:
        model: The model's name.
        inputs: What it takes.
        outputs: What it gives.
    """

    model: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @classmethod
    def of(cls, model: "keras.Model") -> "Signature":
        """Read a model's signature.

        Raises:
            ConversionError: The model has no inputs of its own, or one without a fixed size.
        """
        if not model.built or not hasattr(model, "inputs"):
            raise ConversionError(
                f"model {model.name!r} has no input of its own: build it as a Functional model, or give a "
                "Sequential an Input of the samples' size"
            )
        inputs = _ports(model.inputs, [tensor.name for tensor in model.inputs], "input")
        for port in inputs:
            if None in port.shape:
                raise ConversionError(
                    f"model {model.name!r} takes input {port.name!r} of shape {port.shape}; a device needs every "
                    "size fixed: rebuild it with an Input of the size that it will run at"
                )
        inputs = tuple(
            replace(
                port, scales_pixels=any(_scales_pixels(layer, tensor) for layer in model.layers)
            )
            for port, tensor in zip(inputs, model.inputs, strict=True)
        )
        names = list(getattr(model, "output_names", ())) or [each.name for each in model.outputs]
        return cls(model.name, inputs, _ports(model.outputs, names, "output"))

    def arrays(
        self, data: Arrays, *, error: type[TfliteExportError], what: str
    ) -> tuple[np.ndarray, ...]:
        """Return samples as one array per input, in the model's order.

        Args:
            data: The samples.
            error: What to raise where they do not fit.
            what: What they are, for its text.
        """
        found = self._in_order(data, error, what)
        for port, array in zip(self.inputs, found, strict=True):
            if array.ndim == 0 or array.shape[1:] != port.shape or len(array) == 0:
                expected = ", ".join(map(str, ("count", *port.shape)))
                raise error(
                    f"{what} for input {port.name!r} of model {self.model!r} must have the shape "
                    f"[{expected}] with at least one sample, got {list(array.shape)}"
                )
        if len({len(array) for array in found}) > 1:
            raise error(f"{what} must have one sample each, got {[len(array) for array in found]}")
        return found

    def _in_order(
        self, data: Arrays, error: type[TfliteExportError], what: str
    ) -> tuple[np.ndarray, ...]:
        names = [port.name for port in self.inputs]
        if isinstance(data, Mapping):
            if set(data) != set(names):
                raise error(f"{what} must be named {names}, got {list(data)}")
            return tuple(np.asarray(data[name]) for name in names)
        if len(names) == 1:
            return (np.asarray(data),)
        if not isinstance(data, list | tuple) or len(data) != len(names):
            raise error(
                f"{what} must be {len(names)} arrays, for {', '.join(names)}, or a dict of these names"
            )
        return tuple(map(np.asarray, data))


def require_tensorflow_backend() -> None:
    """Check that Keras runs on TensorFlow.

    Raises:
        BackendError: It runs on another backend.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise BackendError(
            "export needs Keras' TensorFlow backend, this process runs on "
            f"{keras.backend.backend()!r}: save the model as .keras, then export it in a process "
            "started with KERAS_BACKEND=tensorflow"
        )


def kernel_values(model: "keras.Model") -> int:
    """Return how many values the kernels have, frozen ones too, each once."""
    # Seeds and counters are integers; statistics and biases have one axis.
    return sum(
        math.prod(weight.shape)
        for weight in model.weights
        if len(weight.shape) > 1 and "float" in str(weight.dtype)
    )


def float_outputs(model: "keras.Model", arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Run a model in float32, compiled or not: one float32 array `[count, ...]` per output.

    Args:
        model: The model; a mixed-precision one computes with its float32 weights.
        arrays: One array per input, `[count, ...]`, in the model's order.
    """
    import keras

    serve, batches = server(model), []
    with float32_policies(model):
        for start in range(0, len(arrays[0]), BATCH_SIZE):
            parts = [each[start : start + BATCH_SIZE] for each in arrays]
            batches.append([keras.ops.convert_to_numpy(each) for each in serve(parts)])
    return tuple(np.concatenate(each).astype(np.float32) for each in zip(*batches, strict=True))


def server(model: "keras.Model") -> Callable[[Sequence[Any]], list[Any]]:
    """Return a function from one tensor per input to one float32 tensor per output, in the model's order.

    Inputs are real values: where the model takes uint8 pixels, the cast to uint8 is left out, which changes no pixel.
    """
    import keras

    ports = Signature.of(model).inputs
    run: Callable[[list[Any]], Any] = partial(_call, model)
    if any(_is_pixel_type(port) for port in ports):
        run = _without_casts(model)

    def serve(tensors: Sequence[Any]) -> list[Any]:
        values = [
            keras.ops.cast(each, port.dtype if port.holds_indices else "float32")
            for each, port in zip(tensors, ports, strict=True)
        ]
        outputs = run(values)
        return [keras.ops.cast(each, "float32") for each in keras.tree.flatten(outputs)]

    return serve


@contextlib.contextmanager
def float32_policies(model: "keras.Model") -> Iterator[None]:
    """Let a mixed-precision model compute in float32, with its own float32 weights, until the block ends.

    Raises:
        ConversionError: A layer keeps its weights themselves in another type than float32.
    """
    layers = [each for each in model._flatten_layers() if each.compute_dtype != "float32"]
    policies = [layer.dtype_policy for layer in layers]
    for layer in layers:
        if layer.variable_dtype != "float32" and layer.weights:
            raise ConversionError(
                f"layer {layer.name!r} of model {model.name!r} keeps its weights in {layer.variable_dtype}: "
                "train it with policy 'mixed_float16' or 'mixed_bfloat16', which keep them in float32, or set the "
                "policy 'float32' and load the weights"
            )
    try:
        for layer in layers:
            layer.dtype_policy = "float32"
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy


def _is_pixel_type(port: Port) -> bool:
    return not port.holds_indices and "float" not in port.dtype


def _call(model: "keras.Model", values: list[Any]) -> Any:
    """Call a model on a tensor for each input, nested as the model's inputs are."""
    import keras

    if len(values) == 1:
        return model(values[0], training=False)
    return model(keras.tree.pack_sequence_as(model.input, values), training=False)


def _without_casts(model: "keras.Model") -> Callable[[list[Any]], Any]:
    """Return a function that runs a model's layers one by one, without casting its inputs first."""
    from tfelastic import trace

    graph = trace(model)

    def apply(step: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = getattr(step.op, "call", None)
        if call is not None and "training" in inspect.signature(call).parameters:
            kwargs = {**kwargs, "training": False}
        return step.op(*args, **kwargs)

    return lambda values: graph.run(values, apply)


def _scales_pixels(layer: Any, tensor: Any) -> bool:
    """Return whether a layer takes a tensor and scales it from 0..255 to 0..1 or -1..1."""
    import keras

    if not isinstance(layer, keras.layers.Rescaling):
        return False
    try:
        meets = layer.input is tensor
    except (AttributeError, ValueError):  # Called more than once, or never.
        return False
    return meets and any(np.allclose(255 * np.asarray(layer.scale), span) for span in (1, 2))


def _ports(tensors: Sequence[Any], names: Sequence[str], side: str) -> tuple[Port, ...]:
    ports: list[Port] = []
    seen: set[str] = set()
    for tensor, given in zip(tensors, names, strict=True):
        # Keras counts the tensors that nobody named, so that the same model has other names when it is built again.
        name = side if given.startswith("keras_tensor") else given
        unique, number = name, 1
        while unique in seen:
            unique, number = f"{name}_{number}", number + 1
        seen.add(unique)
        ports.append(Port(unique, tuple(tensor.shape)[1:], str(tensor.dtype)))
    return tuple(ports)
