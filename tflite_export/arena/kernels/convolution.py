"""The sizes of a convolution, as the formulas of kernel libraries take them."""

from dataclasses import dataclass

from tflite_export.tflite import Graph, GraphOperator, GraphTensor

_SAME = 0
# Where each operator reads its values and its kernel, and the kernel's axis of output channels.
_PLACES = {"CONV_2D": (0, 1), "DEPTHWISE_CONV_2D": (0, 1), "TRANSPOSE_CONV": (2, 1)}


@dataclass(frozen=True)
class Side:
    """Height, width and channels of a tensor `[n, height, width, channels]`."""

    height: int
    width: int
    channels: int

    @classmethod
    def of(cls, tensor: GraphTensor) -> "Side":
        """Return the sizes of a tensor of four axes."""
        return cls(*tensor.shape[1:])

    @property
    def size(self) -> int:
        """How many values there are."""
        return self.height * self.width * self.channels


@dataclass(frozen=True)
class Convolution:
    """A convolution, depthwise or transposed ones included.

    Attributes:
        dtype: The type of its values.
        taken: What it reads.
        kernel: Its kernel.
        given: What it writes.
        stride: (height, width).
        dilation: (height, width).
        multiplier: Outputs for each input channel of a depthwise one; 1 of others.
    """

    dtype: str
    taken: Side
    kernel: Side
    given: Side
    stride: tuple[int, int]
    dilation: tuple[int, int]
    same: bool
    multiplier: int = 1

    @classmethod
    def of(cls, graph: Graph, operator: GraphOperator) -> "Convolution | None":
        """Return an operator's sizes; None where it is no convolution."""
        if operator.name not in _PLACES:
            return None
        taken, kernel = (graph.tensors[operator.inputs[i]] for i in _PLACES[operator.name])
        options = operator.options
        return cls(
            dtype=taken.dtype,
            taken=Side.of(taken),
            kernel=Side.of(kernel),
            given=Side.of(graph.tensors[operator.outputs[0]]),
            stride=(options["strideH"], options["strideW"]),
            dilation=(options.get("dilationHFactor", 1), options.get("dilationWFactor", 1)),
            same=options["padding"] == _SAME,
            multiplier=options.get("depthMultiplier", 1),
        )

    @property
    def padding(self) -> tuple[int, int]:
        """Rows above and columns to the left that it adds, as TFLM reckons them."""
        if not self.same:
            return (0, 0)
        sizes = (
            (self.given.height, self.kernel.height, self.taken.height),
            (self.given.width, self.kernel.width, self.taken.width),
        )
        height, width = (
            max((given - 1) * stride + (kernel - 1) * dilation + 1 - taken, 0) // 2
            for (given, kernel, taken), stride, dilation in zip(
                sizes, self.stride, self.dilation, strict=True
            )
        )
        return height, width

    @property
    def pointwise(self) -> bool:
        """Whether it reads one position at a time, without padding."""
        return (self.kernel.height, self.kernel.width) == (1, 1) and self.padding == (0, 0)
