"""Padding layers that become part of the convolutions behind them.

The converter leaves a padding layer out where the convolution that reads it pads by nothing itself and the added zeros
are those of the padding "same": as many rows as make `ceil(rows / stride)` outputs, the odd one at the end.
"""

from typing import Any

from tfelastic._plan import Selection
from tfelastic.graph import Step

_PADDING = "ZeroPadding2D"
_CONVOLUTIONS = frozenset(("Conv2D", "DepthwiseConv2D", "SeparableConv2D"))


def is_padding(op: Any) -> bool:
    """Return whether a layer adds zeros around an image, channels last."""
    return type(op).__name__ == _PADDING and op.data_format == "channels_last"


def is_empty(op: Any) -> bool:
    """Return whether a padding layer adds nothing."""
    return not any(sum(sides) for sides in op.padding)


def is_same(selection: Selection, padding: Step, reader: Step | None) -> bool:
    """Return whether a step that reads a padding layer pads by "same" in its place.

    Args:
        selection: The graph under a plan.
        padding: The call of the padding layer.
        reader: What reads it; None for the model's output.
    """
    if reader is None or type(reader.op).__name__ not in _CONVOLUTIONS:
        return False
    op = reader.op
    if op.padding != "valid" or op.data_format != "channels_last":
        return False
    lengths = selection.shape(padding.inputs[0])[1:-1]
    return all(
        length is not None and tuple(sides) == _same(length, kernel, stride, dilation)
        for sides, length, kernel, stride, dilation in zip(
            padding.op.padding, lengths, op.kernel_size, op.strides, op.dilation_rate, strict=True
        )
    )


def padding_before(selection: Selection, step: Step) -> Step | None:
    """Return the call of the padding layer in whose place a step pads by "same"; None where there is none."""
    if getattr(step.op, "padding", None) != "valid":
        return None
    maker = selection.maker(step.inputs[0])
    found = maker is not None and is_padding(maker.op) and is_same(selection, maker, step)
    return maker if found else None


def _same(length: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return how many zeros "same" adds before and behind an axis."""
    window = (kernel - 1) * dilation + 1
    added = max((-(-length // stride) - 1) * stride + window - length, 0)
    return added // 2, added - added // 2
