"""Gives a narrow variant the widest variant's kernels, so that a bundle stores each kernel once.

In an elastic network a narrow rung's kernel is a slice of the widest rung's. Folding BatchNorm and
choosing scales multiplies each output channel by a number, another one in every variant, and rounds. So
two variants that were converted one by one hold nearly the same kernels, and not one equal byte.

Yet a slice can serve as it is. Let `k` be a channel of the shared kernel, `peak` its largest size and
`c > 0` what folding made of it in the narrow variant, where it sees a slice `s` of `k`. The converter
chose the scale `c * peak(s) / 127` there. The widest variant stores `round(127 * k / peak(k))`; its slice,
read with the scale `c * peak(k) / 127`, is `c * s` to half a step again. So the narrow file takes the
widest's integers, its own scale times `peak(k) / peak(s)`, and a bias in steps of the new scale. The price
is that the slice need not use all 255 steps. Nothing else in the file changes, not even its length.

In a float32 file the slice of the widest's kernel takes one factor per output channel,
`narrow = float32(factor * widest)`, which moves a weight by a rounding error or two.

Which operator holds which kernel is not guessed from names or from the order: a kernel of the file belongs
to a kernel of the network if it is that kernel, to the last rounding, up to a factor per channel. What
has no such partner stays as it is, and is reported.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tflite_export.tflite import Kernel, kernels

if TYPE_CHECKING:
    from tfelastic import LayerGraph
    from tfelastic._plan import Ladder

LARGEST_INT8 = 127
"""The largest size of a stored weight: TFLite leaves -128 out."""

# What two float32 roundings in the converter may add to half a step, and to a float weight.
ROUNDING = 1e-3
FLOAT_ROUNDING = 1e-6

_FORM = "as int8 or float32, up to a factor per channel"


@dataclass(frozen=True, kw_only=True)
class SharedKernel:
    """A kernel of an elastic network, and what one rung uses of it.

    Attributes:
        name: The path of the network's variable.
        values: The widest rung's kernel, float32, in Keras' order of axes.
        takes: For each axis of which the rung keeps a part, the positions that it keeps.
    """

    name: str
    values: np.ndarray
    takes: Mapping[int, np.ndarray]

    def cut(self, values: np.ndarray) -> np.ndarray:
        """Return the rung's part of an array of the kernel's shape."""
        for axis, positions in self.takes.items():
            values = values.take(positions, axis=axis)
        return values


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """How much of a variant's kernels the widest variant's file holds too.

    Attributes:
        shared: The kernels that are slices of the widest's, by the paths of their variables.
        alone: Why each of the others is not.
        shared_bytes: Bytes of the shared kernels in the variant's file.
        kernel_bytes: Bytes of all its kernels.
    """

    shared: tuple[str, ...]
    alone: Mapping[str, str]
    shared_bytes: int
    kernel_bytes: int

    def __str__(self) -> str:
        head = (
            f"{len(self.shared)} of {len(self.shared) + len(self.alone)} kernels shared, "
            f"{self.shared_bytes:,} of {self.kernel_bytes:,} bytes"
        )
        return "\n".join([head, *(f"{name}: {reason}" for name, reason in self.alone.items())])

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {**asdict(self), "shared": list(self.shared), "alone": dict(self.alone)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Sharing":
        """Read what `to_json` wrote."""
        return cls(**{**data, "shared": tuple(data["shared"]), "alone": dict(data["alone"])})


class ElasticNetwork(Protocol):
    """What sharing asks of an elastic network; `tfelastic.ElasticModel` answers it."""

    @property
    def graph(self) -> "LayerGraph":
        """The widest rung's graph."""

    @property
    def ladder(self) -> "Ladder":
        """The ladder as it looks from the widest rung."""


def shared_kernels(net: ElasticNetwork, rung: str) -> tuple[SharedKernel, ...]:
    """Return the kernels that a rung uses, in the order of execution.

    Raises:
        PlanError: There is no such rung.
    """
    from tfelastic._plan import Selection
    from tfelastic.surgery import build_abstract

    _, slices = build_abstract(Selection(net.graph, net.ladder.rung(rung).plan))
    return tuple(
        SharedKernel(
            name=piece.source.path,
            values=np.asarray(piece.source.value, np.float32),
            takes=piece.takes,
        )
        for piece in slices
        if len(piece.source.shape) > 1
    )


def share_kernels(
    narrow: bytes, widest: bytes, shared: Sequence[SharedKernel]
) -> tuple[bytes, Sharing]:
    """Rewrite a variant so that its kernels are slices of the widest variant's.

    Both were converted by the same scheme, each with its own calibration. Kernels become bit-equal slices
    where they are stored as int8, and one float32 factor per output channel away where they are stored as
    float32; float16 kernels stay as they are.

    Args:
        narrow: The variant's .tflite.
        widest: The widest variant's.
        shared: What `shared_kernels` returns for the variant's rung.

    Returns:
        The rewritten .tflite, of the same length, and what was shared.
    """
    data = bytearray(narrow)
    places, sources = kernels(data), kernels(bytearray(widest))
    kernel_bytes = sum(place.weights.values.nbytes for place in places)
    done, alone, shared_bytes = [], {}, 0
    for kernel in shared:
        place = _take_match(places, kernel.cut(kernel.values))
        source = _take_match(sources, kernel.values)
        if place is None or source is None:
            whose = "its own" if place is None else "the widest's"
            alone[kernel.name] = f"{whose} file does not hold it {_FORM}"
        elif obstacle := _obstacle(place, source, kernel):
            alone[kernel.name] = obstacle
        else:
            _rewrite(place, source, kernel)
            done.append(kernel.name)
            shared_bytes += place.weights.values.nbytes
    report = Sharing(
        shared=tuple(done), alone=alone, shared_bytes=shared_bytes, kernel_bytes=kernel_bytes
    )
    return bytes(data), report


@dataclass(frozen=True)
class _Layout:
    """How an operator stores a kernel.

    Attributes:
        ranks: The numbers of axes that the Keras kernel may have.
        channels: The stored kernel's axis of output channels.
        stored: Takes the Keras kernel to the stored order of axes.
    """

    ranks: tuple[int, ...]
    channels: int
    stored: Callable[[np.ndarray], np.ndarray]

    def restored(self, stored: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return a stored kernel in Keras' order of axes, with the Keras kernel's `shape`."""
        values = np.empty(stored.size, stored.dtype)
        values[self.stored(np.arange(stored.size).reshape(shape)).ravel()] = stored.ravel()
        return values.reshape(shape)


def _convolution(kernel: np.ndarray) -> np.ndarray:
    """`[height, width, inputs, outputs]`, or without the height, to `[outputs, height, width, inputs]`."""
    image = kernel if kernel.ndim == 4 else kernel[np.newaxis]
    return np.moveaxis(image, -1, 0)


def _depthwise(kernel: np.ndarray) -> np.ndarray:
    """`[height, width, inputs, multiplier]`, or without the height, to `[1, height, width, outputs]`."""
    return kernel.reshape(1, *(1,) * (4 - kernel.ndim), *kernel.shape[:-2], -1)


_LAYOUTS = {
    "CONV_2D": _Layout((3, 4), 0, _convolution),
    "DEPTHWISE_CONV_2D": _Layout((3, 4), 3, _depthwise),
    "FULLY_CONNECTED": _Layout((2,), 0, np.transpose),
    # [height, width, outputs, inputs] to [outputs, height, width, inputs].
    "TRANSPOSE_CONV": _Layout((4,), 0, lambda kernel: np.moveaxis(kernel, 2, 0)),
}


def _take_match(candidates: list[Kernel], values: np.ndarray) -> Kernel | None:
    """Take the first candidate that stores `values` off the list, and return it."""
    for index, candidate in enumerate(candidates):
        layout = _LAYOUTS[candidate.operator]
        if values.ndim in layout.ranks and _stores(candidate, layout.stored(values)):
            return candidates.pop(index)
    return None


def _stores(kernel: Kernel, values: np.ndarray) -> bool:
    """Return whether a file's kernel is `values` times a number per channel, but for rounding."""
    stored = kernel.weights.values
    if stored.shape != values.shape or stored.dtype not in (np.int8, np.float32):
        return False
    peak, integer = _peaks(values, kernel), stored.dtype == np.int8
    most = np.full_like(peak, LARGEST_INT8) if integer else _peaks(stored, kernel)
    slack = 0.5 + ROUNDING if integer else FLOAT_ROUNDING * most
    sign = np.sign(np.sum(stored * values, axis=_within(kernel), keepdims=True, dtype=np.float64))
    expected = sign * most / np.where(peak > 0, peak, 1) * values
    return bool((np.abs(stored - expected) <= slack).all())


def _obstacle(place: Kernel, source: Kernel, kernel: SharedKernel) -> str | None:
    """Return why a kernel cannot be written over its own file's, if it cannot."""
    kept, taken = place.weights, source.weights
    if kept.values.dtype != taken.values.dtype:
        return f"stored as {kept.values.dtype}, in the widest's file as {taken.values.dtype}"
    channels = kept.values.shape[_LAYOUTS[place.operator].channels]
    if kept.scales.size == 1 < channels and taken.scales.size > 1:
        return "its own file has one scale for all channels, the widest's has one for each"
    if not place.exclusive:
        return "several operations of the file use its constants"
    product = np.multiply(kept.values, _part(taken.values, place, kernel), dtype=np.float64)
    if (product.sum(axis=_within(place)) < 0).any():
        return "a channel's factor is negative in one of the two files"
    return None


def _rewrite(place: Kernel, source: Kernel, kernel: SharedKernel) -> None:
    """Write the rung's part of the widest's kernel over its own file's kernel."""
    new, own = _part(source.weights.values, place, kernel), place.weights.values
    if own.dtype == np.float32:
        peaks = _peaks(new, place)
        factors = _peaks(own, place) / np.where(peaks > 0, peaks, 1)
        own[:] = factors.astype(np.float32) * new
        return
    own[:] = new
    whole = _LAYOUTS[place.operator].stored(kernel.values)
    # Each weight's channel's peak, brought to where the weight goes.
    spread = np.broadcast_to(_peaks(whole, source), whole.shape)
    peaks, seen = (_peaks(_part(values, place, kernel), place) for values in (spread, whole))
    _rescale(place, np.where(seen > 0, peaks / np.where(seen > 0, seen, 1), 1).ravel())


def _part(stored: np.ndarray, place: Kernel, kernel: SharedKernel) -> np.ndarray:
    """Return the rung's part of an array as large as the widest's stored kernel."""
    layout = _LAYOUTS[place.operator]
    return layout.stored(kernel.cut(layout.restored(stored, kernel.values.shape)))


def _rescale(kernel: Kernel, ratio: np.ndarray) -> None:
    """Make the steps of a kernel `ratio` times as large, and let its bias mean what it meant."""
    kernel.weights.scales[:] = kernel.weights.scales * ratio
    bias = kernel.bias
    if bias is not None and np.issubdtype(bias.values.dtype, np.integer):
        bias.scales[:] = bias.scales * ratio
        bias.values[:] = np.rint(bias.values / ratio)


def _within(kernel: Kernel) -> tuple[int, ...]:
    """Return the axes along which one scale holds."""
    stored, channels = kernel.weights, _LAYOUTS[kernel.operator].channels
    axes = range(stored.values.ndim)
    return tuple(axis for axis in axes if axis != channels or stored.scales.size == 1)


def _peaks(values: np.ndarray, kernel: Kernel) -> np.ndarray:
    """Return the largest size per scale of the kernel, float64, with `values`' number of axes."""
    return np.abs(values).max(axis=_within(kernel), keepdims=True).astype(np.float64)
