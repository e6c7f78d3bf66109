"""A memory plan for a .tflite that TFLM obeys: smaller than the one that it makes itself."""

from dataclasses import dataclass

import numpy as np

from tflite_export.arena.allocations import Allocation, allocations
from tflite_export.arena.in_place import oldest, youngest
from tflite_export.arena.kernels import get_kernels
from tflite_export.arena.placement import height, lower_bound, search, tflm_offsets
from tflite_export.errors import ConversionError, DeviceError
from tflite_export.runtimes import LiteModel
from tflite_export.runtimes.tflm import infer
from tflite_export.tflite import UNPLANNED, read_graph, read_memory_plan, with_memory_plan

CHECKED_SAMPLES = 2
"""Random samples on which TFLM must compute the same by a plan as without one."""


@dataclass(frozen=True, kw_only=True)
class ArenaPlan:
    """Where the tensors of a file go in TFLM's arena. All sizes include the kernels' scratch buffers.

    Attributes:
        offsets: Bytes from the arena's start for each tensor; -1 for those that are not in it.
        planned_bytes: What the values between operations take by this plan.
        tflm_bytes: What they take as TFLM's own planner lays them out.
        bound_bytes: The most of them that is needed at one moment, every operation in a place of its own.
        in_place_bound_bytes: The same where operations that can write in place do; no plan can be smaller.
        in_place: How many tensors are written over one that is no longer needed.
        kernels: The kernel library whose scratch buffers were reckoned with.
    """

    offsets: tuple[int, ...]
    planned_bytes: int
    tflm_bytes: int
    bound_bytes: int
    in_place_bound_bytes: int
    in_place: int
    kernels: str = "reference"

    @property
    def saved_bytes(self) -> int:
        """How much smaller the plan is than TFLM's own."""
        return self.tflm_bytes - self.planned_bytes


def plan_arena(tflite: bytes, *, kernels: str = "reference", seed: int = 0) -> ArenaPlan:
    """Search for a layout of a file's tensors in TFLM's arena that takes less than TFLM's own.

    Args:
        tflite: The file's bytes; a plan that it holds is not regarded.
        kernels: The kernel library on the device, whose scratch buffers lie in the arena too: `"reference"`,
            `"cmsis-nn"`, `"cmsis-nn-mve"` or `"esp-nn"`.
        seed: Of the search.

    Raises:
        ConversionError: The bytes are no .tflite file.
        SchemeError: There is no such kernel library.
    """
    graph, scratch = read_graph(tflite), get_kernels(kernels).scratch
    each_its_own = allocations(graph, scratch=scratch)
    joined = [allocations(graph, scratch=scratch, in_place=way) for way in (youngest, oldest)]
    best, planned = each_its_own, tflm_offsets(each_its_own)
    tflm_bytes = least = height(each_its_own, planned)
    chosen: dict[int, int] = {}
    for candidate in sorted((each_its_own, *joined), key=lower_bound):
        if lower_bound(candidate) >= least:
            continue
        offsets = _by_tensor(candidate, search(candidate, seed=seed))
        # TFLM places the scratch buffers around the plan in its own order.
        fixed = [None if each.scratch else offsets[each.tensors[0]] for each in each_its_own]
        found = height(each_its_own, tflm_offsets(each_its_own, fixed))
        if found < least:
            best, least, chosen = candidate, found, offsets
    chosen = chosen or _by_tensor(each_its_own, planned)
    return ArenaPlan(
        offsets=tuple(chosen.get(number, UNPLANNED) for number in range(len(graph.tensors))),
        planned_bytes=least,
        tflm_bytes=tflm_bytes,
        bound_bytes=lower_bound(each_its_own),
        in_place_bound_bytes=min(map(lower_bound, joined)),
        in_place=sum(len(each.tensors) - 1 for each in best if not each.scratch),
        kernels=kernels,
    )


def with_arena_plan(tflite: bytes, *, kernels: str = "reference", seed: int = 0) -> bytes:
    """Return a file with a plan of its arena that TFLM obeys, or as it is where TFLM's own is no larger.

    Outputs do not change: where the package tflite-micro is installed, both files are run and compared.

    Args:
        tflite: The file's bytes.
        kernels: As `plan_arena` takes it.
        seed: Of the search.

    Raises:
        ConversionError: The bytes are no .tflite file, or TFLM computes other outputs by the plan.
    """
    plan = plan_arena(tflite, kernels=kernels, seed=seed)
    if not plan.saved_bytes:
        return tflite if read_memory_plan(tflite) is None else with_memory_plan(tflite, None)
    planned = with_memory_plan(tflite, plan.offsets)
    check_plan(tflite, planned, limit_bytes=plan.planned_bytes)
    return planned


def check_plan(unplanned: bytes, planned: bytes, *, limit_bytes: int) -> None:
    """Check that TFLM computes the same by a plan as without one, in no more memory than it states.

    A file that TFLM cannot run without a plan, or with no package tflite-micro to run it, passes: `verify` reports it.

    Args:
        unplanned: The file.
        planned: The file with a plan.
        limit_bytes: The bytes of activations that the plan states.

    Raises:
        ConversionError: An output differs, or the plan takes more.
    """
    model, rng = LiteModel(unplanned), np.random.default_rng(0)
    samples = [rng.uniform(0, 255, (CHECKED_SAMPLES, *shape[1:])) for shape in model.input_shapes]
    inputs = model.encode(samples)
    try:
        expected = infer(with_memory_plan(unplanned, None), inputs)
    except DeviceError:
        return
    received = infer(planned, inputs)
    pairs = zip(expected.outputs, received.outputs, strict=True)
    if not all(np.array_equal(*pair, equal_nan=pair[0].dtype.kind == "f") for pair in pairs):
        raise ConversionError(
            f"TFLM computes other outputs on {CHECKED_SAMPLES} random samples by the memory plan than without it: "
            "convert with arena='tflm', which leaves the layout to TFLM, and please report it"
        )
    if received.activation_bytes > limit_bytes:
        raise ConversionError(
            f"TFLM takes {received.activation_bytes:,} bytes of activations by a memory plan of {limit_bytes:,}: "
            "convert with arena='tflm', which leaves the layout to TFLM, and please report it"
        )


def _by_tensor(found: tuple[Allocation, ...], offsets: list[int]) -> dict[int, int]:
    return {
        tensor: offset
        for each, offset in zip(found, offsets, strict=True)
        for tensor in each.tensors
    }
