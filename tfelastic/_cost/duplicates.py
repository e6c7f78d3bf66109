"""Calls that compute what an earlier one computes already: the converter keeps the first of them."""

from collections.abc import Hashable, Mapping, Sequence

from tfelastic._cost.layer_operations import ACTIVATIONS, kind_of
from tfelastic.graph import Step

_POOLINGS = frozenset(("AveragePooling2D", "MaxPooling2D"))
_ACTIVATION_SETTINGS = ("activation", "negative_slope", "threshold", "max_value")
_POOLING_SETTINGS = ("pool_size", "strides", "padding", "data_format")


def duplicates(steps: Sequence[Step], sources: Mapping[int, int]) -> dict[int, int]:
    """Return, for the number of each tensor that a later one of equal calls makes, that of the first one's.

    Equal are calls of activations and poolings of equal settings that read the same tensor.

    Args:
        steps: The calls, in the order of execution.
        sources: For the number of each tensor that a removed block made, that of the tensor in its place.
    """
    found: dict[int, int] = {}

    def kept(tensor: int) -> int:
        source = sources.get(tensor, tensor)
        return found.get(source, source)

    first: dict[Hashable, Step] = {}
    for step in steps:
        settings = _settings(step)
        if settings is None:
            continue
        reads = tuple(kept(tensor.index) for tensor in step.inputs)
        before = first.setdefault((reads, settings), step)
        if before is not step:
            pairs = zip(step.outputs, before.outputs, strict=True)
            found |= {later.index: earlier.index for later, earlier in pairs}
    return found


def _settings(step: Step) -> Hashable | None:
    """Return all that such a call's result depends on besides what it reads; None of other calls."""
    kind = kind_of(step)
    if kind in ACTIVATIONS:
        names = _ACTIVATION_SETTINGS
    elif kind in _POOLINGS:
        names = _POOLING_SETTINGS
    else:
        return None
    return (kind, *(getattr(step.op, name, None) for name in names))
