"""How large TFLM's arena is on a board, which this machine is not: 32-bit pointers and other kernels.

What holds the values between operations follows from the file, its memory plan and the published formulas for the
kernels' scratch buffers. What holds the interpreter's tables is measured here, where pointers have 64 bits, and reduced
by what they take less: by the sizes of TFLM's structures for each tensor, operation, input and output. It was held
against tflite-micro on a Cortex-M4F under QEMU: docs/arena.md has the figures.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tflite_export.arena.allocations import Allocation, allocations
from tflite_export.arena.kernels import get_kernels
from tflite_export.arena.placement import height, tflm_offsets
from tflite_export.errors import ProfileError
from tflite_export.runtimes import measure_arena
from tflite_export.tflite import UNPLANNED, Graph, read_graph, read_memory_plan

MARGIN = 0.05
"""What is added unless asked otherwise: another release of TFLM or of a kernel library may take a little more."""

# What structures of TFLM take less with 32-bit pointers, in bytes: TfLiteEvalTensor 24 and 12, NodeAndRegistration 64
# and 32; the records of convolutions and dense layers, rounded to 16; TfLiteTensor with its scales and the pointer to
# it for each input and output; the allocators, without what the measuring one records.
_BY_TENSOR, _BY_OPERATOR, _BY_WEIGHTED, _BY_PORT, _ONCE = 12, 32, 16, 48, 380
_WEIGHTED = frozenset(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"))

# What records of tuned kernels take more than those of reference kernels, rounded to 16 bytes.
_TUNED = frozenset(
    ("AVERAGE_POOL_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "SOFTMAX", "TRANSPOSE_CONV")
)
_TUNED_BYTES, _HANDLE_BYTES, _ROUNDING = 16, 4, 32

# What TFLM takes for a moment while it prepares: a request for each scratch buffer and 12 to spare, its notes on each
# tensor and each planned one. (ScratchBufferRequest 12, AllocationInfo 24, GreedyMemoryPlanner 40 bytes a buffer.)
_REQUEST, _SPARE_REQUESTS, _NOTE, _PLANNED = 12, 12, 24, 40


@dataclass(frozen=True, kw_only=True)
class ArenaEstimate:
    """What a file's arena takes on a board with 32-bit pointers.

    Attributes:
        kernels: The kernel library.
        activation_bytes: What holds the values between operations and the scratch buffers, as TFLM lays them out by
            the file's plan; by formula.
        scratch_bytes: The most that the kernels of one operation ask for; by formula, and part of `activation_bytes`.
        persistent_bytes: What holds the interpreter's tables; measured, and reduced by formula.
        preparation_bytes: What TFLM takes in place of the activations while it prepares; by formula.
        measured_bytes: The smallest arena in which the file ran on this 64-bit machine with reference kernels.
        margin: The share that is added to be safe.
    """

    kernels: str
    activation_bytes: int
    scratch_bytes: int
    persistent_bytes: int
    preparation_bytes: int
    measured_bytes: int
    margin: float

    @property
    def arena_bytes(self) -> int:
        """What the arena takes."""
        return self.persistent_bytes + max(self.activation_bytes, self.preparation_bytes)

    @property
    def with_margin_bytes(self) -> int:
        """What to give it: the margin added, rounded up to 16 bytes."""
        return int(-(-self.arena_bytes * (1 + self.margin) // 16)) * 16

    def to_json(self) -> dict[str, Any]:
        """Return the estimate as plain data."""
        sums = {"arena_bytes": self.arena_bytes, "with_margin_bytes": self.with_margin_bytes}
        return {**asdict(self), **sums}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ArenaEstimate":
        """Read what `to_json` wrote; the sums follow from the parts."""
        return cls(**{name: data[name] for name in cls.__dataclass_fields__})

    def __str__(self) -> str:
        return (
            f"{self.arena_bytes:,} bytes of arena with {self.kernels} kernels and 32-bit pointers: "
            f"{self.activation_bytes:,} for activations and scratch, {self.persistent_bytes:,} for tables; "
            f"{self.with_margin_bytes:,} with a margin of {self.margin:.0%}"
        )


def estimate_arena(
    tflite: bytes, *, kernels: str = "reference", margin: float = MARGIN
) -> ArenaEstimate:
    """Estimate a file's arena on a board with 32-bit pointers.

    Args:
        tflite: The file's bytes, as the board will run it.
        kernels: The kernel library on the board: `"reference"`, `"cmsis-nn"`, `"cmsis-nn-mve"` or `"esp-nn"`.
        margin: The share to add, 0 or more.

    Raises:
        ConversionError: The bytes are no .tflite file.
        SchemeError: There is no such kernel library.
        ProfileError: The margin is negative.
        DeviceError: TFLM cannot run the file here, or the package tflite-micro is missing.

    Examples:
        >>> samples = np.zeros((1, *model.input_shape[1:]), np.uint8)
        >>> tflite = tx.convert(model, target="tflm", samples=samples)
        >>> found = estimate_arena(tflite, kernels="cmsis-nn")
        >>> print(str(found)[-14:])
        a margin of 5%
    """
    library = get_kernels(kernels)
    if not 0 <= margin < float("inf"):
        raise ProfileError(f"an arena's margin is a share of 0 or more, received {margin!r}")
    graph, report = read_graph(tflite), measure_arena(tflite)
    found = allocations(graph, scratch=library.scratch)
    scratch = [each.bytes for each in found if each.scratch]
    by_moment: dict[int, int] = {}
    for each in found:
        by_moment[each.first] = by_moment.get(each.first, 0) + each.bytes * each.scratch
    return ArenaEstimate(
        kernels=kernels,
        activation_bytes=_laid_out(found, read_memory_plan(tflite)),
        scratch_bytes=max(by_moment.values(), default=0),
        persistent_bytes=_persistent(graph, report.persistent_bytes, kernels, len(scratch)),
        preparation_bytes=_REQUEST * (len(scratch) + _SPARE_REQUESTS)
        + _NOTE * (len(graph.tensors) + len(scratch))
        + _PLANNED * len(found),
        measured_bytes=report.arena_bytes,
        margin=margin,
    )


def _laid_out(found: tuple[Allocation, ...], plan: tuple[int, ...] | None) -> int:
    """Return how high TFLM's layout is, by a file's plan where it has one."""
    fixed: list[int | None] = [None] * len(found)
    if plan is not None:
        for index, each in enumerate(found):
            if not each.scratch and plan[each.tensors[0]] != UNPLANNED:
                fixed[index] = plan[each.tensors[0]]
    return height(found, tflm_offsets(found, fixed))


def _persistent(graph: Graph, measured: int, kernels: str, scratch: int) -> int:
    names = [operator.name for operator in graph.operators]
    pointers = (
        _BY_TENSOR * len(graph.tensors)
        + _BY_OPERATOR * len(names)
        + _BY_WEIGHTED * sum(name in _WEIGHTED for name in names)
        + _BY_PORT * (len(graph.inputs) + len(graph.outputs))
        + _ONCE
    )
    tuned = 0
    if kernels != "reference":
        tuned = _TUNED_BYTES * sum(name in _TUNED for name in names) + _HANDLE_BYTES * scratch
        tuned += _ROUNDING
    return measured - pointers + tuned
