"""A network's interface as its variants' .tflite files show it: names, shapes, and who is who.

A converter orders a network's tensors as it likes and names them as it likes, and stripping takes the
names away. The manifest therefore states for each variant at which place in its file each tensor of the
interface stands; here that place is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tfelastic_runtime import BundleError, InputSpec, OutputSpec, ScoreSpec, TensorSpec
from tfelastic_runtime.interface import ZERO_POINTS

from tflite_export.errors import ConversionError, PackError
from tflite_export.tflite import Summary, Tensor, summarize

_PIXELS = {"int8": (1.0, -128), "uint8": (1.0, 0), "float32": (1.0, 0)}
"""Scale and zero point of an input that takes raw pixels."""


@dataclass(frozen=True)
class Interface:
    """What all variants of a bundle have in common.

    Attributes:
        inputs: What the network takes.
        outputs: What it gives.
        score: What the variants' scores measure.

    Examples:
        >>> Interface(
        ...     (InputSpec("audio", (1, 49, 10, 1)),),
        ...     (OutputSpec("word", (1, 2), "logits", ("yes", "no")),),
        ... ).score.metric
        'accuracy'
    """

    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    score: ScoreSpec = field(default_factory=ScoreSpec)

    @classmethod
    def of_tflite(cls, tflite: bytes, *, labels: Sequence[str] | None = None) -> Interface:
        """Return the interface of a file, with the meaning that an image classifier has.

        One input of four axes that stores pixels as they are is an image; any other input has values.
        One output of two axes has logits; any others have values. What means something else is described by
        an `Interface` of one's own.

        Args:
            tflite: The file.
            labels: One text per class of the one output.

        Raises:
            PackError: The bytes are no .tflite file, or its tensors are none that a bundle has.
        """
        file = read_tensors(tflite)
        one = len(file.inputs) == 1
        inputs = [
            InputSpec(
                each.signature_name or ("input" if one else f"input_{index}"),
                each.shape,
                "image" if one and _holds_pixels(each) else "values",
            )
            for index, each in enumerate(file.inputs)
        ]
        one = len(file.outputs) == 1
        if labels is not None and not one:
            raise PackError(
                f"labels: the network has {len(file.outputs)} outputs; pass an interface= whose "
                "OutputSpec has the labels"
            )
        outputs = [
            OutputSpec(
                each.signature_name or ("output" if one else f"output_{index}"),
                each.shape,
                "logits" if one and len(each.shape) == 2 else "values",
                None if labels is None else tuple(labels),
            )
            for index, each in enumerate(file.outputs)
        ]
        return cls(tuple(inputs), tuple(outputs))


def _holds_pixels(tensor: Tensor) -> bool:
    """Return whether a tensor is fit for raw pixels: four axes, and pixels stored as they are."""
    return len(tensor.shape) == 4 and _PIXELS.get(tensor.dtype) == _quantization(tensor)


def _quantization(tensor: Tensor) -> tuple[float, int]:
    """Return scale and zero point; a tensor that is not quantized holds numbers as they are."""
    if tensor.scale is None or tensor.zero_point is None:
        return 1.0, 0
    return tensor.scale, tensor.zero_point


def read_tensors(tflite: bytes) -> Summary:
    """Read a file's inputs and outputs.

    Raises:
        PackError: The bytes are no .tflite file.
    """
    try:
        return summarize(tflite)
    except ConversionError as cause:
        raise PackError(str(cause)) from cause


def tensor_specs(
    found: Sequence[Tensor],
    specs: Sequence[InputSpec | OutputSpec],
    names: Sequence[str] | None,
    what: str,
) -> tuple[TensorSpec, ...]:
    """Return how a file stores each tensor of an interface, in the interface's order.

    Args:
        found: The file's tensors.
        specs: The interface's.
        names: The interface's names in the file's order, where they are known.
        what: `input` or `output`, for messages.

    Raises:
        PackError: The file has other tensors than the interface, or which is which is ambiguous.
    """
    if len(found) != len(specs):
        raise PackError(f"it has {len(found)} {what}s, the interface has {len(specs)}")
    positions = _positions(found, specs, names, what)
    tensors = []
    for spec, position in zip(specs, positions, strict=True):
        each = found[position]
        if each.shape != spec.shape:
            raise PackError(
                f"its {what} {spec.name!r} has the shape {list(each.shape)}, the interface has "
                f"{list(spec.shape)}: one bundle holds variants of one network"
            )
        if each.dtype not in ZERO_POINTS:
            raise PackError(
                f"its {what} {spec.name!r} is {each.dtype}; a bundle has "
                f"{', '.join(ZERO_POINTS)}: convert it with another type at its {what}s"
            )
        try:
            tensors.append(TensorSpec(position, each.dtype, *_quantization(each)))
        except BundleError as cause:
            raise PackError(f"its {what} {spec.name!r}: {cause}") from cause
    return tuple(tensors)


def _positions(
    found: Sequence[Tensor],
    specs: Sequence[InputSpec | OutputSpec],
    names: Sequence[str] | None,
    what: str,
) -> list[int]:
    """Return each interface tensor's place in the file: by name, else by a shape of its own."""
    wanted = [spec.name for spec in specs]
    if names is not None:
        if sorted(names) != sorted(wanted):
            raise PackError(
                f"{what}_names: expected {wanted} in the file's order, received {names}"
            )
        return [list(names).index(name) for name in wanted]
    if len(found) == 1:
        return [0]
    named = [each.signature_name for each in found]
    if sorted(named) == sorted(wanted):
        return [named.index(name) for name in wanted]
    shapes = [each.shape for each in found]
    if len(set(shapes)) == len(shapes) and sorted(shapes) == sorted(spec.shape for spec in specs):
        return [shapes.index(spec.shape) for spec in specs]
    raise PackError(
        f"which of its {what}s is which is ambiguous: it names them {named} with the shapes "
        f"{[list(shape) for shape in shapes]}, the interface {wanted}. Pass {what}_names= with the "
        "interface's names in the file's order"
    )
