"""The memory of a microcontroller: a plan for TFLM's arena, and how large the arena is on a board.

`plan_arena` lays out the values between a file's operations, `with_arena_plan` writes the layout into the file, and
`estimate_arena` says what the arena takes with a library of kernels. Inside, `allocations` says what is needed when,
`in_place` which operations write where they read, `placement` searches for offsets, and `kernels/` holds the formulas
for scratch buffers.
"""

from tflite_export.arena.estimate import ArenaEstimate, estimate_arena
from tflite_export.arena.kernels import KERNELS, get_kernels
from tflite_export.arena.planning import ArenaPlan, plan_arena, with_arena_plan

__all__ = [
    "KERNELS",
    "ArenaEstimate",
    "ArenaPlan",
    "estimate_arena",
    "get_kernels",
    "plan_arena",
    "with_arena_plan",
]
