"""The memory of a microcontroller: a plan for TFLM's arena, and how large the arena is on a board."""

from tflite_export.arena.planning import ArenaPlan, plan_arena, with_arena_plan

__all__ = ["ArenaPlan", "plan_arena", "with_arena_plan"]
